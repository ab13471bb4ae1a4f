import Crypto
import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import ServiceLifecycle
import WorkerRuntime

/// Rooms and their events: made, stored, read.
package final class RoomSubsystem: Subsystem {
  /// The stores.
  package let stores: ServerStores
  /// The services.
  package let rooms: RoomServices
  private let signer: EventSigner
  /// The limits of what users do in rooms.
  package let limiter: RoomRateLimiter

  /// Composes the services.
  ///
  /// - Throws: `ConfigError` when there is no signing key.
  package init(_ process: ProcessContext) throws {
    let key = try process.config.keys.signingKey
    let signer = EventSigner(
      serverName: process.config.serverName, keyID: key.keyID,
      privateKey: try Curve25519.Signing.PrivateKey(rawRepresentation: key.seed))
    self.signer = signer
    stores = ServerStores(process.stores)
    limiter = RoomRateLimiter(process.config.rateLimits, accounts: stores.accounts)
    rooms = RoomServices(
      stores: stores.rooms, push: stores.push, accountData: stores.users.accountData, accounts: stores.accounts,
      router: process.calls, signer: signer, logger: process.logger,
      users: LocalUsers(stores: stores.accounts, accountData: stores.users.accountData), rateLimiter: limiter)
  }

  /// Makes the header by which this server shows another one who asks.
  ///
  /// https://spec.matrix.org/v1.16/server-server-api/#request-authentication
  package func authorization(_ method: Text, _ path: Text, _ destination: Text, _ content: JSON) throws -> Text {
    let signed = try signer.sign([
      "method": .string(method), "uri": .string(path), "origin": .string(signer.serverName),
      "destination": .string(destination), "content": content,
    ])
    let signature = signed["signatures"]?[signer.serverName]?[signer.keyID]?.string ?? ""
    return "X-Matrix origin=\"\(signer.serverName)\",key=\"\(signer.keyID)\",sig=\"\(signature)\""
      + ",destination=\"\(destination)\""
  }

  package var calls: [ServedCall] { rooms.calls }

  package var services: [any Service] {
    [
      LoopService("room locks") { [rooms] in await rooms.giveBackLocks() },
      LoopService("persister") { [rooms] in await rooms.persister.run() },
      LoopService("delayed events") { [rooms] in await rooms.sendDelayedEvents() },
      LoopService("redactions") { [rooms] in await rooms.redactionCensor.run() },
    ]
  }
}
