import Foundation
import Logging
import MatrixPrimitives
import Replication
import ServerConfig
import Stores
import TestSupport

@testable import AccountServices

/// The services about accounts as a server of one process runs them, on a database of its own.
final class AccountFixture: Sendable {
  let stores: AccountStores
  let accounts: AccountServices
  private let hub: StreamHub
  private let hubTask: Task<Void, any Error>

  init(settings: Text = "", clock: ServerClock = .system) async throws {
    let database = try await TestDatabase.withSchema()
    let (config, logger) = (try Self.config(settings), Logger.silent)
    hub = StreamHub(
      instanceName: "master", writers: { config.writers(of: $0) }, transport: InMemoryTransport(),
      clock: clock, logger: logger)
    let context = StoreContext(database: database.client, config: config, hub: hub, clock: clock, logger: logger)
    stores = AccountStores(context)
    let rooms = RoomStores(context)
    accounts = AccountServices(
      stores: stores, memberships: rooms.memberships, router: CallRouter(config: config, client: nil),
      rooms: AccountServices.RoomHooks(
        limitProfileChange: { _ in }, propagateProfile: { _, _, _ in }, welcome: { _, _ in },
        leaveAllRooms: { _ in true }, signRequest: { _, _, _, _ in "" }),
      logger: logger)
    try await context.load()
    hubTask = Task { [hub] in try await hub.run() }
    await hub.waitUntilCaughtUp()
  }

  deinit { hubTask.cancel() }

  private static func config(_ settings: Text) throws -> HomeserverConfig {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("myelin-accounts-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("homeserver.yaml")
    let text = """
      server_name: test
      macaroon_secret_key: secret
      form_secret: secret
      signing_key: "ed25519 a_1 \(UnpaddedBase64.encode([UInt8](repeating: 7, count: 32)))"
      database: {name: psycopg2, args: {dbname: test}}
      bcrypt_rounds: 4
      \(settings)
      """
    try Data(text.utf8).write(to: file)
    return try HomeserverConfig.load(paths: [Text(file.path)], role: .homeserver).0
  }

  static let client = Authenticator.Client(ip: "10.0.0.1", userAgent: "test")

  /// Registers a user and opens a session on a device.
  func register(_ name: Text, password: Text = "secret", device: Text = "D") async throws -> Requester {
    let user = try await accounts.registration.registerByAdministrator(
      .init(localpart: name, passwordHash: try await accounts.hasher.hash(password)))
    return try await open(user, device)
  }

  /// Opens a session on a device.
  func open(_ user: UserID, _ device: Text) async throws -> Requester {
    let session = try await accounts.sessions.open(
      SessionRequest(userID: user, deviceID: device, displayName: nil, wantsRefreshToken: false))
    return try await requester(session.accessToken)
  }

  func requester(_ token: Text) async throws -> Requester {
    try await accounts.authenticator.authenticate(
      token, Authenticator.Admission(client: Self.client, allowsGuests: true, allowsLocked: false))
  }

  /// Returns whether a password is a user's.
  func accepts(_ password: Text, of user: UserID) async throws -> Bool {
    let body: JSON = [
      "identifier": ["type": "m.id.user", "user": .string(user.rawValue)], "password": .string(password),
    ]
    return try await refusal { _ = try await self.accounts.login.checkPassword(try body.document()) } == nil
  }

  func deviceIDs(of user: UserID) async throws -> Set<Text> {
    Set(try await accounts.devices.list(of: user).map(\.deviceID))
  }

  /// Runs something that must be refused, and returns how.
  func refusal(_ body: () async throws -> Void) async throws -> MatrixError? {
    do {
      try await body()
      return nil
    } catch let error as MatrixError {
      return error
    }
  }

  /// Runs something that needs further stages, and returns the answer that names them.
  func stages(_ body: () async throws -> Void) async throws -> JSON? {
    do {
      try await body()
      return nil
    } catch let incomplete as UserInteractiveAuth.Incomplete {
      return incomplete.body
    }
  }
}
