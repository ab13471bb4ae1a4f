import ByteText
import Foundation
import Logging
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite struct TransactionTests {
  private func database() async throws -> PostgresClient {
    let client = try await TestDatabase.scratch().client
    try await client.run("CREATE TABLE kv (k text PRIMARY KEY, v bigint NOT NULL)")
    return client
  }

  @Test func writesAreKeptAfterCommitAndSeenByReads() async throws {
    let client = try await database()
    let affected = try await client.transaction("write") { txn in
      try txn.execute("INSERT INTO kv VALUES (\("a"), \(1)), (\("b"), \(2))")
    }
    #expect(affected == 2)
    let rows = try await client.run("SELECT k, v FROM kv ORDER BY k")
    #expect(try rows.map { try $0.decode(Text.self, Int64.self).0 } == ["a", "b"])
  }

  @Test func aTransactionThatOnlyEnqueuesCostsOneRoundTrip() async throws {
    let client = try await database()
    let before = client.statistics
    try await client.transaction("enqueue") { txn in
      for number in 0..<10 { txn.enqueue("INSERT INTO kv VALUES (\("k\(number)"), \(number))") }
    }
    let after = client.statistics
    #expect(after.roundTrips - before.roundTrips == 1)
    #expect(after.queries - before.queries == 12)
    #expect(after.transactions - before.transactions == 1)
    #expect(try await client.run("SELECT count(*) FROM kv")[0].get(0, as: Int.self) == 10)
  }

  @Test func aTransactionThatAsksNothingCostsNothing() async throws {
    let client = try await database()
    let before = client.statistics.roundTrips
    #expect(try await client.transaction("nothing") { _ in 7 } == 7)
    #expect(client.statistics.roundTrips == before)
  }

  @Test func enqueuedStatementsGoOutBeforeTheNextQuery() async throws {
    let client = try await database()
    let before = client.statistics.roundTrips
    let count = try await client.transaction("order") { txn in
      txn.enqueue("INSERT INTO kv VALUES ('a', 1)")
      txn.enqueue("UPDATE kv SET v = v + 1")
      return try txn.query("SELECT v FROM kv")[0].get(0, as: Int.self)
    }
    #expect(count == 2)
    #expect(client.statistics.roundTrips - before == 2)
  }

  @Test func aPipelineReturnsTheRowsOfEveryStatement() async throws {
    let client = try await database()
    let values = try await client.transaction("pipeline") { txn in
      txn.enqueue("INSERT INTO kv VALUES ('x', 0)")
      return try txn.pipeline((1...20).map { "SELECT \($0)::bigint" }).map { try $0[0].get(0, as: Int.self) }
    }
    #expect(values == Array(1...20))
  }

  @Test func anErrorInTheMiddleOfABatchUndoesEverything() async throws {
    let client = try await database()
    let error = await #expect(throws: PostgresError.self) {
      try await client.transaction("broken") { txn in
        txn.enqueue("INSERT INTO kv VALUES ('a', 1)")
        txn.enqueue("INSERT INTO kv VALUES ('a', 2)")
        txn.enqueue("INSERT INTO kv VALUES ('c', 3)")
      }
    }
    #expect(error?.isUniqueViolation == true)
    #expect(error?.constraint == "kv_pkey")
    #expect(error?.table == "kv")
    #expect(try await client.run("SELECT 1 FROM kv").isEmpty)
  }

  @Test func anErrorThatTheClosureSwallowsStillFailsTheTransaction() async throws {
    let client = try await database()
    let hooks = Mutex(0)
    let error = await #expect(throws: PostgresError.self) {
      try await client.transaction("swallow") { txn in
        txn.afterCommit { hooks.withLock { $0 += 1 } }
        try txn.execute("INSERT INTO kv VALUES ('a', 1)")
        _ = try? txn.query("SELECT nothing FROM nowhere")
        _ = try? txn.query("SELECT 1")
      }
    }
    #expect(error?.sqlState == "42P01")
    #expect(hooks.withLock { $0 } == 0)
    #expect(try await client.run("SELECT 1 FROM kv").isEmpty)
  }

  @Test func anErrorOfTheClosureRollsBack() async throws {
    struct Refused: Error {}
    let client = try await database()
    await #expect(throws: Refused.self) {
      try await client.transaction("refuse") { txn in
        try txn.execute("INSERT INTO kv VALUES ('a', 1)")
        throw Refused()
      }
    }
    #expect(try await client.run("SELECT 1 FROM kv").isEmpty)
  }

  @Test func aSyntaxErrorLeavesTheConnectionUsable() async throws {
    // With one connection for transactions there can be no second one that hides that the first is lost.
    let client = PostgresClient(try await TestDatabase.scratch().configuration(maximumConnections: 1), logger: .silent)
    for _ in 0..<3 {
      let error = await #expect(throws: PostgresError.self) {
        try await client.transaction("syntax") { txn in try txn.query("SELEKT \(1)") }
      }
      #expect(error?.sqlState == "42601")
      let error2 = await #expect(throws: PostgresError.self) { try await client.run("SELEKT \(1)") }
      #expect(error2?.sqlState == "42601")
    }
    #expect(try await client.transaction("fine") { try $0.query("SELECT 1")[0].get(0, as: Int.self) } == 1)
    #expect(client.statistics.connections <= 3)
    await client.shutdown()
  }

  @Test func aDeferredConstraintFailsAtCommit() async throws {
    let client = try await database()
    try await client.run("CREATE TABLE parent (id bigint PRIMARY KEY)")
    try await client.run("CREATE TABLE child (id bigint REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    let error = await #expect(throws: PostgresError.self) {
      try await client.transaction("deferred") { txn in try txn.execute("INSERT INTO child VALUES (1)") }
    }
    #expect(error?.isForeignKeyViolation == true)
  }

  @Test func hooksRunInOrderAfterTheCommitAndBeforeTheReturn() async throws {
    let client = try await database()
    let order = Mutex<[Int]>([])
    try await client.transaction("hooks") { txn in
      txn.afterCommit { order.withLock { $0.append(1) } }
      txn.afterCommit { order.withLock { $0.append(2) } }
      txn.enqueue("INSERT INTO kv VALUES ('a', 1)")
    }
    #expect(order.withLock { $0 } == [1, 2])
  }

  @Test func aReadOnlyTransactionRefusesWrites() async throws {
    let client = try await database()
    let error = await #expect(throws: PostgresError.self) {
      try await client.transaction("read only", readOnly: true) { try $0.execute("DELETE FROM kv") }
    }
    #expect(error?.sqlState == "25006")
  }

  @Test(arguments: [
    (IsolationLevel.readCommitted, "read committed"), (.repeatableRead, "repeatable read"),
    (.serializable, "serializable"),
  ])
  func theIsolationLevelIsTheOneAskedFor(level: IsolationLevel, name: Text) async throws {
    let client = try await database()
    let shown = try await client.transaction("level", isolation: level) { txn in
      try txn.query("SHOW transaction_isolation")[0].get(0, as: Text.self)
    }
    #expect(shown == name)
  }

  @Test(arguments: [IsolationLevel.repeatableRead, .serializable])
  func collidingIncrementsAreAllKept(level: IsolationLevel) async throws {
    let client = try await database()
    try await client.run("INSERT INTO kv VALUES ('n', 0)")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<80 {
        group.addTask {
          try await client.transaction("increment", isolation: level) { txn in
            let old = try txn.query("SELECT v FROM kv WHERE k = 'n'")[0].get(0, as: Int64.self)
            txn.enqueue("UPDATE kv SET v = \(old + 1) WHERE k = 'n'")
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await client.run("SELECT v FROM kv")[0].get(0, as: Int64.self) == 80)
  }

  @Test func deadlocksAreRetried() async throws {
    let client = try await database()
    try await client.run("INSERT INTO kv VALUES ('a', 0), ('b', 0)")
    let barrier = Barrier(parties: 2)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (first, second) in [("a", "b"), ("b", "a")] {
        group.addTask {
          try await client.transaction("deadlock", isolation: .readCommitted) { txn in
            try txn.execute("SET LOCAL deadlock_timeout = '20ms'")
            try txn.execute("UPDATE kv SET v = v + 1 WHERE k = \(first)")
            barrier.arriveOnce(first)
            try txn.execute("UPDATE kv SET v = v + 1 WHERE k = \(second)")
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(client.statistics.retries >= 1)
    #expect(try await client.run("SELECT sum(v)::bigint FROM kv")[0].get(0, as: Int64.self) == 4)
  }

  @Test func aTransactionIsOverAfterItsClosure() async throws {
    let client = try await database()
    final class Escape: @unchecked Sendable { var transaction: Transaction? }
    let escape = Escape()
    try await client.transaction("escape") { escape.transaction = $0 }
    #expect(throws: PostgresError.self) { try escape.transaction?.query("SELECT 1") }
  }

  @Test func othersSeeATransactionBeforeItReturnsFromTheDisk() async throws {
    let client = try await TestDatabase.scratch().client
    try await client.run("CREATE TABLE log (n bigint)")
    let calls = Mutex<[Text]>([])
    let (seen, continuation) = AsyncStream<Void>.makeStream()
    try await client.transaction(
      "visible",
      whenVisible: {
        calls.withLock { $0.append("visible") }
        continuation.yield()
      },
      { txn in
        try txn.execute("INSERT INTO log VALUES (1)")
        txn.afterCommit { calls.withLock { $0.append("committed") } }
      })
    for await _ in seen { break }
    #expect(calls.withLock { $0 } == ["committed", "visible"])
    #expect(try await client.run("SELECT n FROM log")[0].get(0, as: Int.self) == 1)
    // The setting that lets COMMIT return early is gone with the transaction.
    let settings = try await client.transaction("setting") {
      try $0.query("SELECT setting = reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
    }
    #expect(try settings[0].get(0, as: Bool.self))
  }

  @Test func aTransactionThatFailsIsNeverVisible() async throws {
    let client = try await TestDatabase.scratch().client
    try await client.run("CREATE TABLE log (n bigint UNIQUE)")
    let isVisible = Mutex(false)
    await #expect(throws: PostgresError.self) {
      try await client.transaction(
        "fails", whenVisible: { isVisible.withLock { $0 = true } },
        { txn in txn.enqueue("INSERT INTO log VALUES (1), (1)") })
    }
    #expect(!isVisible.withLock { $0 })
    #expect(try await client.run("SELECT n FROM log").isEmpty)
    #expect(try await client.transaction("after") { try $0.query("SELECT 1")[0].get(0, as: Int.self) } == 1)
  }

  @Test(arguments: [false, true]) func aRequirementFailsWithItsOwnErrorAndNothingElseDoes(isVisibleFirst: Bool)
    async throws
  {
    struct Missing: Error, Equatable { let what: Int }
    let client = try await TestDatabase.scratch().client
    try await client.run("CREATE TABLE log (n bigint)")
    func run(_ conditions: [SQL], further: SQL = "SELECT 1") async throws {
      let body: @Sendable (Transaction) -> Void = { txn in
        txn.enqueue("INSERT INTO log VALUES (1)")
        for (number, condition) in conditions.enumerated() {
          txn.require(condition, otherwise: Missing(what: number))
        }
        txn.enqueue(further)
      }
      if isVisibleFirst {
        try await client.transaction("requires", whenVisible: {}, body)
      } else {
        try await client.transaction("requires", body)
      }
    }
    await #expect(throws: Missing(what: 1)) {
      try await run(["true", "1 = (SELECT count(*) FROM log WHERE n = 2)", "false"])
    }
    await #expect(throws: Missing(what: 0)) { try await run(["NULL", "false"]) }
    // What else divides by zero, or fails within a requirement, is what it is.
    for (conditions, further) in [
      (["true"], "SELECT 1 / 0"), (["(SELECT '' = ('x' || n)::int::text FROM log)"], "SELECT 1"),
    ]
      as [([SQL], SQL)]
    {
      await #expect(throws: PostgresError.self) { try await run(conditions, further: further) }
    }
    #expect(try await client.run("SELECT n FROM log").isEmpty)
    try await run(["true", "1 = (SELECT count(*) FROM log)"])
    #expect(try await client.run("SELECT n FROM log").count == 1)
    // Sent and answered before the commit, it ends the transaction just as well.
    await #expect(throws: Missing(what: 7)) {
      try await client.transaction("asks") { txn in
        txn.require("false", otherwise: Missing(what: 7))
        _ = try? txn.query("SELECT 1")
      }
    }
  }

  @Test func whatIsSeenCanBeBroughtToTheDiskByATransactionThatWritesNothing() async throws {
    let client = try await TestDatabase.scratch().client
    func flushed() async throws -> Int64 {
      try await client.run("SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint")[0].get(0, as: Int64.self)
    }
    let before = try await client.run("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")[0].get(0, as: Int64.self)
    try await client.transaction("flush") { txn in
      // The servers of tests wait for no disk unless told to.
      txn.enqueue("SET LOCAL synchronous_commit TO on")
      txn.flushWhatIsSeen()
    }
    #expect(try await flushed() > before)
  }
}

/// A barrier at which two threads of the first attempt meet; later attempts pass.
private final class Barrier: @unchecked Sendable {
  private let condition = NSCondition()
  private let parties: Int
  private var arrived: Set<Text> = []

  init(parties: Int) {
    self.parties = parties
  }

  func arriveOnce(_ name: Text) {
    condition.lock()
    defer { condition.unlock() }
    arrived.insert(name)
    condition.broadcast()
    while arrived.count < parties { condition.wait() }
  }
}
