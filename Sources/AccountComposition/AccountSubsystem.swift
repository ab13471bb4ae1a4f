import AccountServices
import EndpointKit
import Replication
import RoomComposition
import ServiceLifecycle
import WorkerRuntime

/// Accounts, their sessions and devices, and the callers with an access token.
package final class AccountSubsystem: Subsystem {
  /// The services.
  package let accounts: AccountServices

  /// Composes the services, which bring what happens to accounts into their rooms.
  package init(_ process: ProcessContext, rooms: RoomSubsystem) {
    accounts = AccountServices(
      stores: rooms.stores.accounts, memberships: rooms.stores.rooms.memberships, router: process.calls,
      rooms: AccountServices.RoomHooks(
        rooms: rooms.rooms, limiter: rooms.limiter, stores: rooms.stores.rooms, logger: process.logger,
        signRequest: { try rooms.authorization($0, $1, $2, $3) }),
      logger: process.logger)
  }

  package var calls: [ServedCall] { accounts.calls }

  package var services: [any Service] { [LoopService("accounts") { [accounts] in await accounts.run() }] }

  /// The lookup of callers by access token.
  package var authenticator: Router.Authenticator {
    let authenticator = accounts.authenticator
    return Router.Authenticator(
      findKnown: { try authenticator.authenticateKnown($0, $1.admission) },
      find: { try await authenticator.authenticate($0, $1.admission) },
      isAdministrator: { try await authenticator.isAdministrator($0) })
  }
}

extension Request {
  /// What the authenticator has to know of a request.
  fileprivate var admission: Authenticator.Admission {
    Authenticator.Admission(
      client: Authenticator.Client(ip: clientIP, userAgent: userAgent),
      allowsGuests: endpoint.access == .userOrGuest || endpoint.access == .anyoneKnown,
      allowsLocked: endpoint.allowsLockedUsers)
  }
}
