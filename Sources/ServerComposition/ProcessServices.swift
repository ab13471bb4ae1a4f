import AccountServices
import Crypto
import EndpointKit
import Logging
import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import ServerConfig
import StorageEngine
import SyncEngine
import WorkerRuntime

/// Composes the services of rooms, accounts and syncing for a process that answers clients.
///
/// The executables that serve clients share it; each lists the endpoint families that it owns itself. What one family of
/// services asks of another (a profile change must reach the user's memberships, a membership must show the profile)
/// is joined here, so that none of them imports the other.
public final class ProcessServices: Sendable {
  /// Stores of all domains.
  public let stores: ServerStores
  /// Rooms and their events.
  public let rooms: RoomServices
  /// Accounts, sessions, devices, profiles.
  public let accounts: AccountServices
  /// Syncing and what only syncing shows.
  public let sync: SyncServices
  /// Limits changes of presence, by `rc_presence`.
  public let presenceLimit: RateLimiter

  private let locks: WorkerLocks

  /// Composes the services and connects them with the streams.
  ///
  /// - Throws: `MatrixError` when the signing key cannot be used, and what reading the database throws.
  public init(_ context: ProcessContext) throws {
    guard let key = context.config.signingKeys.first else {
      throw MatrixError.unknown("There is no signing key")
    }
    let signer = EventSigner(
      serverName: context.config.serverName, keyID: key.keyID,
      privateKey: try Curve25519.Signing.PrivateKey(rawRepresentation: key.seed))
    locks = context.stores.locks
    stores = ServerStores(context.stores)
    let limiter = RoomRateLimiter(context.config.rateLimits, accounts: stores.accounts)
    rooms = RoomServices(
      stores: stores.rooms, push: stores.push, accountData: stores.users.accountData, accounts: stores.accounts,
      replication: context.replication, signer: signer, logger: context.logger,
      users: LocalUsers(stores: stores.accounts, accountData: stores.users.accountData), rateLimiter: limiter)
    accounts = AccountServices(
      stores: stores.accounts, memberships: stores.rooms.memberships, replication: context.replication,
      rooms: AccountServices.RoomHooks(rooms: rooms, limiter: limiter, stores: stores.rooms, logger: context.logger),
      logger: context.logger)
    sync = SyncServices(
      stores: stores.rooms, users: stores.users, push: stores.push, deviceLists: stores.accounts.deviceLists,
      rooms: rooms, replication: context.replication, logger: context.logger)
    presenceLimit = RateLimiter(context.config.rateLimits.presencePerUser, clock: context.clock)
    sync.register()
  }

  /// Joins endpoints and services to what the runtime runs.
  ///
  /// - Parameter families: the endpoints that the executable owns.
  public func role(families: [EndpointFamily]) -> RoleServices {
    RoleServices(
      families: families,
      authenticator: Router.Authenticator(
        findKnown: { [accounts] token, request in
          try accounts.authenticator.authenticateKnown(
            token, client: Authenticator.Client(ip: request.clientIP, userAgent: request.userAgent),
            allowGuest: request.endpoint.auth != .required, allowLocked: request.endpoint.allowsLockedUsers)
        },
        find: { [accounts] token, request in
          try await accounts.authenticator.authenticate(
            token, client: Authenticator.Client(ip: request.clientIP, userAgent: request.userAgent),
            allowGuest: request.endpoint.auth != .required, allowLocked: request.endpoint.allowsLockedUsers)
        }),
      services: [
        LoopService("locks") { [locks] in await locks.run() },
        LoopService("room locks") { [rooms] in await rooms.giveBackLocks() },
        LoopService("accounts") { [accounts] in await accounts.run() },
        LoopService("persister") { [rooms] in await rooms.persister.run() },
        LoopService("push summaries") { [rooms] in await rooms.pushSummaries.run() },
        LoopService("redactions") { [rooms] in await rooms.redactionCensor.run() },
        LoopService("sync") { [sync] in await sync.run() },
      ],
      start: { [sync] in try await sync.start() },
      drain: { [sync] in sync.notifier.drain() })
  }
}
