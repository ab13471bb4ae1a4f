import Logging
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import StorageEngine
import Synchronization
import TestSupport
import Testing

@testable import Stores

/// What stores are made from: which streams a process follows, and in which order memory is brought up to date.
@Suite struct StoreContextTests {
  private let hub: StreamHub
  private let context: StoreContext

  /// Makes a context whose database is never reached.
  init() throws {
    let text: Text = """
      server_name: test
      signing_key: ed25519 a_test MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI
      macaroon_secret_key: secret
      database: {name: psycopg2, args: {user: none, database: none}}
      """
    let (config, _) = try HomeserverConfig.parse([("test.yaml", Array(text.utf8))], role: .homeserver)
    let database = PostgresClient(PostgresConfiguration(conninfo: ["dbname": "none"]), logger: .silent)
    hub = StreamHub(
      instanceName: "master", writers: { config.writers(of: $0) }, transport: InMemoryTransport(), clock: .test(),
      logger: .silent)
    context = StoreContext(database: database, config: config, hub: hub, clock: .test(), logger: .silent)
  }

  private var followed: Set<Text> { Set(hub.ownPositions().keys) }

  @Test func aProcessFollowsTheStreamsOfTheStoresThatItMakes() {
    #expect(followed == ["caches"])
    let accounts = AccountStores(context)
    #expect(followed == ["caches", "device_lists", "profile_updates", "pushers"])
    let users = UserStores(context)
    #expect(
      followed == [
        "caches", "device_lists", "profile_updates", "pushers", "account_data", "receipts", "to_device",
        "thread_subscriptions",
      ])
    withExtendedLifetime((accounts, users)) {}
  }

  @Test func aStreamHasOneGeneratorWhoeverAsks() {
    #expect(context.ids[.events] === context.ids[.events])
    #expect(context.ids[.events] !== context.ids[.backfill])
    #expect(context.ids[.backfill].isBackward)
  }

  @Test func storesAreToldInTheOrderInWhichTheyBeganToFollow() {
    let log = Log()
    for name: Text in ["first", "second", "third"] {
      context.follow(.events, for: log) { log, batches in log.note("\(name) \(batches.count)") }
    }
    let batch = StreamBatch(stream: .events, instanceName: "master", token: 2, rows: [])
    context.applyCommitted([batch, batch], of: .events)
    #expect(log.lines == ["first 2", "second 2", "third 2"])
    context.applyCommitted([batch], of: .backfill)
    #expect(log.lines.count == 3)
  }

  @Test func ownRowsAreNotAppliedAgainWhenTheyAreAnnounced() async {
    let (log, row) = (Log(), AccountDataRow(userID: UserID(unchecked: "@a:test"), roomID: nil, type: "t"))
    _ = context.ids[.accountData]
    context.follow(.accountData, for: log) { log, _ in log.note("store") }
    hub.subscribe(.accountData) { _ in log.note("service") }
    hub.publish(.accountData, token: 1, rows: [.accountData(row)])
    await hub.waitUntilIdle()
    #expect(log.lines == ["service"])
  }

  @Test func whoFollowsIsNotKeptAlive() {
    weak var gone: Log?
    do {
      let log = Log()
      gone = log
      context.follow(.events, for: log) { log, _ in log.note("told") }
    }
    #expect(gone == nil)
  }

  @Test func anInvalidationDropsTheEntryOfItsFirstKeyOrEverything() {
    let cache: Cache<UserID, Int> = context.caches.cache("numbers", capacity: 10)
    let (alice, bob) = (UserID(unchecked: "@alice:test"), UserID(unchecked: "@bob:test"))
    context.caches.register("one", "two", of: cache)
    cache.insert(alice, 1)
    cache.insert(bob, 2)
    context.caches.apply(cacheFunc: "two", keys: [alice.rawValue, "more"])
    #expect(cache.peek(alice) == nil && cache.peek(bob) == 2)
    context.caches.apply(cacheFunc: "one", keys: nil)
    #expect(cache.peek(bob) == nil)
  }
}

/// Lines in the order in which they were noted.
private final class Log: Sendable {
  private let noted = Mutex<[Text]>([])

  var lines: [Text] { noted.withLock { $0 } }

  func note(_ line: Text) { noted.withLock { $0.append(line) } }
}
