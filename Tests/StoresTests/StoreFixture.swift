import Logging
import MatrixPrimitives
import Replication
import ServerConfig
import Synchronization
import TestSupport

@testable import Stores

/// Stores of a server of one process on a database of its own.
final class StoreFixture: Sendable {
  let database: TestDatabase
  let context: StoreContext
  let accounts: AccountStores
  let encryption: EncryptionStores
  let users: UserStores
  private let hub: StreamHub
  private let hubTask: Task<Void, any Error>

  init() async throws {
    database = try await TestDatabase.withSchema()
    let text: Text = """
      server_name: test
      signing_key: ed25519 a_test MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI
      macaroon_secret_key: secret
      database: {name: psycopg2, args: {user: none, database: none}}
      """
    let (config, _) = try HomeserverConfig.parse([("test.yaml", Array(text.utf8))], role: .homeserver)
    hub = StreamHub(
      instanceName: "master", writers: { config.writers(of: $0) }, transport: InMemoryTransport(), clock: .system,
      logger: .silent)
    context = StoreContext(database: database.client, config: config, hub: hub, clock: .system, logger: .silent)
    accounts = AccountStores(context)
    encryption = EncryptionStores(context)
    users = UserStores(context)
    try await context.load()
    hubTask = Task { [hub] in try await hub.run() }
    await hub.waitUntilCaughtUp()
  }

  deinit { hubTask.cancel() }

  /// Collects the rows of a stream that are published from now on.
  func rows(of stream: StreamName) -> PublishedRows {
    let rows = PublishedRows(hub)
    hub.subscribe(stream) { rows.note($0.rows) }
    return rows
  }
}

/// Rows that were published.
final class PublishedRows: Sendable {
  private let hub: StreamHub
  private let noted = Mutex<[StreamRow]>([])

  init(_ hub: StreamHub) { self.hub = hub }

  func note(_ rows: [StreamRow]) { noted.withLock { $0 += rows } }

  /// The rows, once all that were published are there.
  func all() async -> [StreamRow] {
    await hub.waitUntilIdle()
    return noted.withLock { $0 }
  }
}
