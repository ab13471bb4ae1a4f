import ByteText
import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// Transactions with a second one beside them.
@Suite(.timeLimit(.minutes(2))) struct SecondTransactionTests {
  /// Makes tables that tell from which session their rows were written, and of which one refuses twins only at COMMIT.
  private func database() async throws -> TestDatabase {
    let database = try await TestDatabase.scratch()
    try await database.client.run(
      "CREATE TABLE main (n bigint UNIQUE DEFERRABLE INITIALLY DEFERRED, session int DEFAULT pg_backend_pid())")
    try await database.client.run(
      "CREATE TABLE side (n bigint CHECK (n < 100), session int DEFAULT pg_backend_pid())")
    return database
  }

  private func counts(_ client: PostgresClient) async throws -> [Int] {
    let row = try await client.run("SELECT (SELECT count(*) FROM main), (SELECT count(*) FROM side)")[0]
    return [try row.get(0, as: Int.self), try row.get(1, as: Int.self)]
  }

  @Test(arguments: [false, true]) func bothAreCommittedEachOnItsConnection(isVisibleFirst: Bool) async throws {
    let client = try await database().client
    let calls = Mutex(0)
    let body: @Sendable (Transaction) -> Void = { txn in
      txn.enqueue("INSERT INTO main (n) VALUES (1)")
      txn.runBeside("INSERT INTO side (n) VALUES (1)")
      txn.ifOrphaned { calls.withLock { $0 += 1 } }
    }
    if isVisibleFirst {
      try await client.transaction("both", whenVisible: { calls.withLock { $0 += 10 } }, body)
    } else {
      try await client.transaction("both", body)
    }
    #expect(try await counts(client) == [1, 1])
    #expect(calls.withLock { $0 } == (isVisibleFirst ? 10 : 0))
    #expect(
      try await client.run("SELECT main.session <> side.session FROM main, side")[0].get(0, as: Bool.self))
    // What stands alone beside an empty transaction is committed, too.
    try await client.transaction("alone") { $0.runBeside("INSERT INTO side (n) VALUES (2)") }
    #expect(try await counts(client) == [1, 2])
  }

  @Test func whateverFailsNothingIsKept() async throws {
    let client = try await database().client
    let orphaned = Mutex(false)
    let attempts: [(main: Int64, side: Int64)] = [(1, 100), (1, 1)]
    for (main, side) in attempts {
      await #expect(throws: PostgresError.self) {
        try await client.transaction("fails") { txn in
          txn.enqueue("INSERT INTO main (n) VALUES (\(main))")
          if side < 100 { txn.enqueue("SELECT 1 / 0") }
          txn.runBeside("INSERT INTO side (n) VALUES (\(side))")
          txn.ifOrphaned { orphaned.withLock { $0 = true } }
        }
      }
      #expect(try await counts(client) == [0, 0])
    }
    #expect(!orphaned.withLock { $0 })
    // The connection that was borrowed is as good as new.
    try await client.transaction("after") { $0.runBeside("INSERT INTO side (n) VALUES (7)") }
    #expect(try await counts(client) == [0, 1])
  }

  @Test func whereOneOfTwoFailsTheOtherIsAnOrphan() async throws {
    let client = try await database().client
    let orphaned = Mutex(0)
    await #expect(throws: PostgresError.self) {
      try await client.transaction("one of two") { txn in
        txn.runBeside("INSERT INTO side (n) VALUES (1)")
        txn.runBeside("INSERT INTO side (n) VALUES (100)")
        txn.enqueue("INSERT INTO main (n) VALUES (1)")
        txn.ifOrphaned { orphaned.withLock { $0 += 1 } }
      }
    }
    #expect(orphaned.withLock { $0 } == 1)
    #expect(try await counts(client) == [0, 1])
  }

  @Test func whoGivesUpTakesWhatRunsBesideBack() async throws {
    struct GivenUp: Error {}
    let client = try await database().client
    await #expect(throws: GivenUp.self) {
      try await client.transaction("gives up") { txn in
        txn.runBeside("INSERT INTO side (n) VALUES (1)")
        throw GivenUp()
      }
    }
    #expect(try await counts(client) == [0, 0])
    // The lent connection is back, and there is a third statement for none.
    try await client.transaction("three") { txn in
      for number in 1...3 { txn.runBeside("INSERT INTO side (n) VALUES (\(Int64(number)))") }
      txn.enqueue("INSERT INTO main (n) VALUES (1)")
    }
    #expect(try await counts(client) == [1, 3])
    let sessions: SQL =
      "SELECT count(DISTINCT session) FROM (SELECT session FROM side UNION SELECT session FROM main) AS s"
    #expect(try await client.run(sessions)[0].get(0, as: Int.self) == 3)
  }

  @Test func whoseOwnCommitFailsIsToldOfOrphans() async throws {
    let client = try await database().client
    let orphaned = Mutex(0)
    await #expect(throws: PostgresError.self) {
      try await client.transaction("orphans") { txn in
        txn.enqueue("INSERT INTO main (n) VALUES (1), (1)")
        txn.runBeside("INSERT INTO side (n) VALUES (1)")
        txn.ifOrphaned { orphaned.withLock { $0 += 1 } }
      }
    }
    #expect(orphaned.withLock { $0 } == 1)
    #expect(try await counts(client) == [0, 1])
  }

  @Test func aRepeatedAttemptDoesEverythingByItself() async throws {
    let client = try await database().client
    try await client.run("CREATE SEQUENCE attempts")
    try await client.run(
      """
      CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('attempts') = 1 THEN RAISE EXCEPTION 'collision' USING ERRCODE = '40001'; END IF;
        RETURN NULL;
      END $$
      """)
    try await client.run(
      """
      CREATE CONSTRAINT TRIGGER collides AFTER INSERT ON main DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION collide()
      """)
    let repeated = Mutex<[Bool]>([])
    try await client.transaction("twice") { txn in
      repeated.withLock { $0.append(txn.isRepeated) }
      txn.enqueue("INSERT INTO main (n) VALUES (1)")
      txn.runBeside("INSERT INTO side (n) VALUES (\(txn.isRepeated ? 2 : 1))")
    }
    #expect(repeated.withLock { $0 } == [false, true])
    #expect(try await counts(client) == [1, 2])
    let isOwn: SQL = "SELECT side.session = main.session FROM main, side WHERE side.n = 2"
    #expect(try await client.run(isOwn)[0].get(0, as: Bool.self))
  }

  @Test func aPairOfWhichOneWaitsForTheOtherIsDoneByOne() async throws {
    let client = try await database().client
    let repeated = Mutex<[Bool]>([])
    try await client.transaction("waits for itself") { txn in
      repeated.withLock { $0.append(txn.isRepeated) }
      try txn.execute("LOCK TABLE side IN EXCLUSIVE MODE")
      txn.runBeside("INSERT INTO side (n) VALUES (1)")
      txn.enqueue("INSERT INTO main (n) VALUES (1)")
    }
    #expect(repeated.withLock { $0 } == [false, true])
    #expect(try await counts(client) == [1, 1])
    // The limit is that of pairs, not of sessions.
    let limit = try await client.transaction("after") { try $0.query("SHOW lock_timeout")[0].get(0, as: Text.self) }
    #expect(limit == "0")
  }

  @Test func whatAPairWaitsForTooLongIsWaitedForByOne() async throws {
    let client = try await database().client
    let (attempts, attempt) = AsyncStream<Bool>.makeStream()
    let (isLocked, release) = (Gate(), DispatchSemaphore(value: 0))
    let stranger = Task {
      try await client.transaction("stranger") { txn in
        try txn.execute("LOCK TABLE main IN EXCLUSIVE MODE")
        isLocked.open()
        release.wait()
      }
    }
    await isLocked.wait()
    let pair = Task {
      try await client.transaction("pair") { txn in
        attempt.yield(txn.isRepeated)
        txn.runBeside("INSERT INTO side (n) VALUES (\(txn.isRepeated ? 2 : 1))")
        txn.enqueue("INSERT INTO main (n) VALUES (1)")
      }
    }
    var iterator = attempts.makeAsyncIterator()
    #expect(await iterator.next() == false)
    #expect(await iterator.next() == true)
    release.signal()
    try await stranger.value
    try await pair.value
    #expect(try await counts(client) == [1, 1])
  }

  @Test func aSmallPoolHasNoSecondConnections() async throws {
    let database = try await database()
    let client = PostgresClient(database.configuration(maximumConnections: 2), logger: .silent)
    try await client.transaction("within") { txn in
      txn.enqueue("INSERT INTO main (n) VALUES (1)")
      txn.runBeside("INSERT INTO side (n) VALUES (1)")
    }
    #expect(
      try await client.run("SELECT main.session = side.session FROM main, side")[0].get(0, as: Bool.self))
    await client.shutdown()
  }

  @Test func thePoolNeverHasMoreConnectionsThanItMay() async throws {
    let database = try await database()
    var configuration = database.configuration(maximumConnections: 4)
    configuration.minimumConnections = 4
    configuration.sharedConnections = 1
    configuration.conninfo["application_name"] = "counted"
    let client = PostgresClient(configuration, logger: .silent)
    try await client.start()
    let most = try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<40 {
        group.addTask {
          try await client.transaction("crowd") { txn in
            let count = try txn.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'")
            txn.enqueue("INSERT INTO main (n) VALUES (\(number))")
            txn.runBeside("INSERT INTO side (n) VALUES (\(number))")
            return try count[0].get(0, as: Int.self)
          }
        }
      }
      return try await group.reduce(0) { max($0, $1) }
    }
    // One is shared by single statements; a server process takes a moment to go.
    #expect(most <= 4 + 1 + 1)
    #expect(try await counts(client) == [40, 40])
    await client.shutdown()
  }
}
