import ByteText
import Foundation
import Logging
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite struct ConnectionLossTests {
  @Test func aTransactionWhoseConnectionIsKilledIsRunAgain() async throws {
    let client = try await TestDatabase.scratch().client
    try await client.run("CREATE TABLE log (n bigint)")
    let attempts = Mutex(0)
    let result = try await client.transaction("killed") { txn in
      let attempt = attempts.withLock { attempts in
        attempts += 1
        return attempts
      }
      try txn.execute("INSERT INTO log VALUES (\(attempt))")
      if attempt == 1 { try txn.execute("SELECT pg_terminate_backend(pg_backend_pid())") }
      return attempt
    }
    #expect(result == 2)
    #expect(try await client.run("SELECT n FROM log").map { try $0.get(0, as: Int.self) } == [2])
    #expect(client.statistics.retries == 1)
  }

  @Test func aConnectionThatDiesDuringCommitLeavesTheOutcomeUnknown() async throws {
    let client = try await TestDatabase.scratch().client
    try await client.run("CREATE TABLE log (n bigint)")
    try await client.run(
      """
      CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS \
      'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'
      """)
    try await client.run(
      "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()"
    )
    let attempts = Mutex(0)
    let hooks = Mutex<[Text]>([])
    let error = await #expect(throws: PostgresError.self) {
      try await client.transaction("dies") { txn in
        attempts.withLock { $0 += 1 }
        txn.afterCommit { hooks.withLock { $0.append("committed") } }
        txn.afterCommit(orUnknown: true) { hooks.withLock { $0.append("possibly committed") } }
        txn.enqueue("INSERT INTO log VALUES (1)")
      }
    }
    #expect(error?.code == .commitOutcomeUnknown)
    #expect(attempts.withLock { $0 } == 1)
    #expect(hooks.withLock { $0 } == ["possibly committed"])
    #expect(try await client.transaction("after") { try $0.query("SELECT 1")[0].get(0, as: Int.self) } == 1)
  }

  @Test func idleConnectionsThatWereKilledAreReplacedUnnoticed() async throws {
    let database = try await TestDatabase.scratch()
    let client = database.client
    try await client.run("CREATE TABLE log (n bigint)")
    try await client.transaction("first") { $0.enqueue("INSERT INTO log VALUES (1)") }
    let killer = PostgresClient(database.server.configuration(database: "postgres"), logger: .silent)
    for number in 2...4 {
      try await killer.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = \(database.name)")
      // One batch with COMMIT in it: sent on the dead connection, its outcome would be unknown.
      try await client.transaction("next") { $0.enqueue("INSERT INTO log VALUES (\(number))") }
    }
    #expect(try await client.run("SELECT count(*) FROM log")[0].get(0, as: Int.self) == 4)
    await killer.shutdown()
  }

  @Test func readsUnderWayAreRepeatedAndWritesFail() async throws {
    let client = try await TestDatabase.scratch().client
    try await client.run("CREATE SEQUENCE once")
    // Ends its own connection the first time only.
    let sql: SQL = "SELECT CASE WHEN nextval('once') = 1 THEN pg_terminate_backend(pg_backend_pid()) END"
    #expect(try await client.run(sql)[0].get(0, as: Bool?.self) == nil)
    let error = await #expect(throws: PostgresError.self) {
      try await client.run("WITH x AS (SELECT pg_terminate_backend(pg_backend_pid())) SELECT * FROM x")
    }
    #expect(error?.code == .connectionLost)
  }

  @Test func aServerThatStopsAndStartsCostsOnlyWhatWasUnderWay() async throws {
    let server = try await TestPostgres.launch()
    let client = try await server.scratchDatabase().client
    try await client.run("CREATE TABLE log (n bigint)")
    let underWay = Task {
      try await client.transaction("under way") { txn in
        txn.enqueue("INSERT INTO log VALUES (1)")
        _ = try txn.query("SELECT pg_sleep(60)")
      }
    }
    while try await client.run(
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'"
    )
    .isEmpty {}
    try await server.stop()
    underWay.cancel()
    await #expect(throws: PostgresError.self) { try await underWay.value }
    let reads = (0..<4).map { number in
      Task { try await client.run("SELECT \(number)::bigint")[0].get(0, as: Int.self) }
    }
    let writes = (0..<4).map { number in
      Task { try await client.transaction("wait") { $0.enqueue("INSERT INTO log VALUES (\(number))") } }
    }
    try await server.start()
    for (number, read) in reads.enumerated() { #expect(try await read.value == number) }
    for write in writes { try await write.value }
    #expect(try await client.run("SELECT count(*) FROM log")[0].get(0, as: Int.self) == 4)
    await client.shutdown()
    try await server.stop()
  }

  @Test func aWrongAddressIsKnownAtStart() async throws {
    let client = PostgresClient(
      PostgresConfiguration(conninfo: ["host": "/nonexistent", "dbname": "x"]), logger: .silent)
    let error = await #expect(throws: PostgresError.self) { try await client.start() }
    #expect(error?.code == .connectFailed)
    await client.shutdown()
  }
}
