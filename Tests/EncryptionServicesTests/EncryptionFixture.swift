import AccountServices
import Foundation
import Logging
import MatrixPrimitives
import Replication
import ServerConfig
import Stores
import TestSupport

@testable import EncryptionServices

/// The services about keys as two processes of a server run them, on one database.
final class EncryptionFixture: Sendable {
  /// One process.
  final class Process: Sendable {
    let stores: EncryptionStores
    let encryption: EncryptionServices
    private let hub: StreamHub
    private let hubTask: Task<Void, any Error>

    fileprivate init(_ config: HomeserverConfig, _ database: TestDatabase, name: Text) async throws {
      hub = StreamHub(
        instanceName: name, writers: { config.writers(of: $0) }, transport: InMemoryTransport(), clock: .system,
        logger: .silent)
      let context = StoreContext(
        database: database.client, config: config, hub: hub, clock: .system, logger: .silent)
      let (accountStores, rooms) = (AccountStores(context), RoomStores(context))
      stores = EncryptionStores(context)
      let router = CallRouter(config: config, client: nil)
      let accounts = AccountServices(
        stores: accountStores, memberships: rooms.memberships, router: router,
        rooms: AccountServices.RoomHooks(
          limitProfileChange: { _ in }, propagateProfile: { _, _, _ in }, welcome: { _, _ in },
          leaveAllRooms: { _ in true }, signRequest: { _, _, _, _ in "" }),
        logger: .silent)
      encryption = EncryptionServices(stores: stores, toDevice: UserStores(context).toDevice, accounts: accounts)
      try await context.load()
      hubTask = Task { [hub] in try await hub.run() }
      await hub.waitUntilCaughtUp()
    }

    deinit { hubTask.cancel() }
  }

  let database: TestDatabase
  /// The main process.
  let main: Process
  /// Another one, which shares nothing but the database with it.
  let other: Process

  init() async throws {
    database = try await TestDatabase.withSchema()
    let config = try Self.config()
    main = try await Process(config, database, name: "master")
    other = try await Process(config, database, name: "other")
  }

  private static func config() throws -> HomeserverConfig {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("myelin-keys-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("homeserver.yaml")
    let text: Text = """
      server_name: test
      macaroon_secret_key: secret
      form_secret: secret
      signing_key: "ed25519 a_1 \(UnpaddedBase64.encode([UInt8](repeating: 7, count: 32)))"
      database: {name: psycopg2, args: {dbname: test}}
      """
    try Data(text.utf8).write(to: file)
    return try HomeserverConfig.load(paths: [Text(file.path)], role: .homeserver).0
  }

  /// Makes a user with devices.
  func user(_ name: Text, devices: [Text] = ["D"]) async throws -> UserID {
    let user = UserID(localpart: name, serverName: "test")
    _ = try await database.client.run("INSERT INTO users (name, creation_ts) VALUES (\(user.rawValue), 0)")
    for device in devices {
      _ = try await database.client.run(
        "INSERT INTO devices (user_id, device_id, hidden) VALUES (\(user.rawValue), \(device), false)")
    }
    return user
  }

  /// Lists what was announced as stale, as `function key key …`.
  func invalidations() async throws -> [Text] {
    try await database.client.run(
      "SELECT cache_func, array_to_string(keys, ' ') FROM cache_invalidation_stream_by_instance ORDER BY stream_id"
    ).map { "\(try $0.get(0, as: Text.self)) \(try $0.get(1, as: Text?.self) ?? "")" }
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
}

/// Makes one-time keys whose names are numbers.
func oneTimeKeys(_ numbers: some Sequence<Int>, value: Text = "k") -> [DeviceKeyRows.Key] {
  numbers.map { .init(algorithm: "a", id: Text(100_000 + $0), json: #"{"key":"\#(value)\#($0)"}"#) }
}
