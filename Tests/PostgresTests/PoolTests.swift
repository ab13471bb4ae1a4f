import Foundation
import Logging
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite struct PoolTests {
  @Test func waitingForAConnectionEndsWithATimeout() async throws {
    let database = try await TestDatabase.scratch()
    var configuration = database.configuration(maximumConnections: 1)
    configuration.waitTimeout = .seconds(1)
    let client = PostgresClient(configuration, logger: .silent)
    // The time to connect counts as waiting, so connect before it matters.
    try await client.start()
    let holding = ThreadGate()
    let release = ThreadGate()
    let holder = Task {
      try await client.transaction("hold") { txn in
        _ = try txn.query("SELECT 1")
        holding.open()
        release.wait()
      }
    }
    await holding.opened()
    let error = await #expect(throws: PostgresError.self) { try await client.transaction("late") { _ in } }
    #expect(error?.code == .poolTimeout)
    release.open()
    try await holder.value
    try await client.transaction("after") { _ = try $0.query("SELECT 1") }
    await client.shutdown()
  }

  @Test func tooMuchWaitingIsRefusedAtOnce() async throws {
    let database = try await TestDatabase.scratch()
    var configuration = database.configuration(maximumConnections: 1)
    configuration.maximumWaiting = 2
    let client = PostgresClient(configuration, logger: .silent)
    let holding = ThreadGate()
    let release = ThreadGate()
    let holder = Task {
      try await client.transaction("hold") { _ in
        holding.open()
        release.wait()
      }
    }
    await holding.opened()
    let outcomes = await withTaskGroup(of: PostgresError.Code?.self) { group in
      for _ in 0..<5 {
        group.addTask {
          do {
            try await client.transaction("crowd") { _ in }
            return nil
          } catch let error as PostgresError {
            return error.code
          } catch {
            return .server
          }
        }
      }
      var refused: [PostgresError.Code?] = []
      for await outcome in group {
        refused.append(outcome)
        if refused.count == 3 { release.open() }
      }
      return refused
    }
    #expect(outcomes.filter { $0 == .poolTimeout }.count == 3)
    #expect(outcomes.filter { $0 == nil }.count == 2)
    try await holder.value
    await client.shutdown()
  }

  @Test func cancellingATaskStopsItsStatementAndRollsBack() async throws {
    let client = try await TestDatabase.scratch().client
    try await client.run("CREATE TABLE log (n bigint)")
    let started = ThreadGate()
    let task = Task {
      try await client.transaction("slow") { txn in
        try txn.execute("INSERT INTO log VALUES (1)")
        started.open()
        _ = try txn.query("SELECT pg_sleep(600)")
      }
    }
    await started.opened()
    task.cancel()
    let error = await #expect(throws: PostgresError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    #expect(try await client.run("SELECT 1 FROM log").isEmpty)
    #expect(try await client.transaction("next") { try $0.query("SELECT 2")[0].get(0, as: Int.self) } == 2)
  }

  @Test func cancellingAReadFreesItsConnectionForTheOthers() async throws {
    let database = try await TestDatabase.scratch()
    var configuration = database.configuration()
    configuration.sharedConnections = 1
    let client = PostgresClient(configuration, logger: .silent)
    let slow = Task { try await client.run("SELECT pg_sleep(600)") }
    while try await database.client.run(
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)' AND wait_event = 'PgSleep' AND datname = \(database.name)"
    ).isEmpty {}
    let behind = (0..<20).map { number in
      Task { try await client.run("SELECT \(number)::bigint")[0].get(0, as: Int.self) }
    }
    slow.cancel()
    let error = await #expect(throws: PostgresError.self) { try await slow.value }
    #expect(error?.code == .cancelled)
    for (number, task) in behind.enumerated() { #expect(try await task.value == number) }
    await client.shutdown()
  }

  @Test func aTaskThatIsCancelledAlreadyDoesNothing() async throws {
    let client = try await TestDatabase.scratch().client
    let before = client.statistics.queries
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      await #expect(throws: PostgresError.self) { try await client.run("SELECT 1") }
      await #expect(throws: PostgresError.self) {
        try await client.transaction("none") { _ = try $0.query("SELECT 1") }
      }
    }
    await task.value
    #expect(client.statistics.queries == before)
  }

  @Test func aStatementTimeoutIsTheServersError() async throws {
    let database = try await TestDatabase.scratch()
    var configuration = database.configuration()
    configuration.statementTimeout = .milliseconds(20)
    let client = PostgresClient(configuration, logger: .silent)
    for _ in 0..<2 {
      let error = await #expect(throws: PostgresError.self) {
        try await client.transaction("slow") { _ = try $0.query("SELECT pg_sleep(60)") }
      }
      #expect(error?.code == .server)
      #expect(error?.sqlState == "57014")
      await #expect(throws: PostgresError.self) { try await client.run("SELECT pg_sleep(60)") }
    }
    await client.shutdown()
  }

  @Test func aChangedTableDoesNotBreakPreparedStatements() async throws {
    let database = try await TestDatabase.scratch()
    let (client, other) = (database.client, PostgresClient(database.configuration(), logger: .silent))
    try await client.run("CREATE TABLE shape (a bigint)")
    try await client.run("INSERT INTO shape VALUES (1)")
    for type: SQL in ["text", "bigint", "text"] {
      for _ in 0..<3 {
        _ = try await client.run("SELECT * FROM shape")
        _ = try await client.transaction("shape") { txn in try txn.query("SELECT * FROM shape").count }
      }
      try await other.run("ALTER TABLE shape ALTER COLUMN a TYPE \(type) USING a::\(type)")
    }
    #expect(try await client.run("SELECT * FROM shape").count == 1)
    #expect(try await client.transaction("shape") { txn in try txn.query("SELECT * FROM shape").count } == 1)
    await other.shutdown()
  }

  @Test func deallocatedStatementsArePreparedAgain() async throws {
    let client = try await TestDatabase.scratch().client
    for _ in 0..<3 {
      #expect(try await client.transaction("same") { try $0.query("SELECT 11")[0].get(0, as: Int.self) } == 11)
      try await client.transaction("forget") { _ = try $0.query("DEALLOCATE ALL") }
    }
  }

  @Test func moreStatementsThanTheLimitAreStillRight() async throws {
    let database = try await TestDatabase.scratch()
    var configuration = database.configuration(maximumConnections: 1)
    configuration.preparedStatementLimit = 5
    configuration.sharedConnections = 1
    let client = PostgresClient(configuration, logger: .silent)
    for number in (0..<40).map({ $0 % 13 }) {
      let text = SQL(stringLiteral: "SELECT \(number), $tag$\(number)$tag$")
      #expect(try await client.run(text)[0].get(0, as: Int.self) == number)
      let value = try await client.transaction("many") { try $0.query(text)[0].get(0, as: Int.self) }
      #expect(value == number)
    }
    let kept = try await client.transaction("kept") { txn in
      try txn.query("SELECT count(*) FROM pg_prepared_statements")[0].get(0, as: Int.self)
    }
    #expect(kept <= 7)
    await client.shutdown()
  }

  @Test func manyTasksShareTheConnections() async throws {
    let client = try await TestDatabase.scratch().client
    try await withThrowingTaskGroup(of: (Int, Int).self) { group in
      for number in 0..<300 {
        group.addTask { (number, try await client.run("SELECT \(number)::bigint * 2")[0].get(0, as: Int.self)) }
      }
      for try await (number, doubled) in group { #expect(doubled == number * 2) }
    }
    // A task is answered a moment before it stops being counted.
    for _ in 0..<100_000 where client.statistics.waiting != 0 { await Task.yield() }
    #expect(client.statistics.waiting == 0)
  }

  @Test func aClientThatIsLetGoClosesItsConnections() async throws {
    let database = try await TestDatabase.scratch()
    let name = "let go"
    func use() async throws {
      var configuration = database.configuration()
      configuration.conninfo["application_name"] = name
      let client = PostgresClient(configuration, logger: .silent)
      try await client.start()
      try await client.run("SELECT 1")
      try await client.transaction("use") { _ = try $0.query("SELECT 1") }
    }
    try await use()
    while try await !database.client.run("SELECT 1 FROM pg_stat_activity WHERE application_name = \(name)").isEmpty {}
  }

  @Test func shutdownLetsTransactionsEndAndRefusesNewOnes() async throws {
    let database = try await TestDatabase.scratch()
    let client = PostgresClient(database.configuration(), logger: .silent)
    let started = ThreadGate()
    let task = Task {
      try await client.transaction("last") { txn in
        started.open()
        return try txn.query("SELECT pg_sleep(0.05), 3")[0].get(1, as: Int.self)
      }
    }
    await started.opened()
    await client.shutdown()
    #expect(try await task.value == 3)
    let error = await #expect(throws: PostgresError.self) { try await client.transaction("no") { _ in } }
    #expect(error?.code == .shutDown)
    let error2 = await #expect(throws: PostgresError.self) { try await client.run("SELECT 1") }
    #expect(error2?.code == .shutDown)
  }
}

/// A gate at which a test and a connection's thread wait for each other.
final class ThreadGate: @unchecked Sendable {
  private let semaphore = DispatchSemaphore(value: 0)
  private let waiter = Mutex<(isOpen: Bool, continuation: CheckedContinuation<Void, Never>?)>((false, nil))

  func open() {
    let continuation = waiter.withLock { waiter in
      waiter.isOpen = true
      defer { waiter.continuation = nil }
      return waiter.continuation
    }
    continuation?.resume()
    semaphore.signal()
  }

  func wait() {
    semaphore.wait()
  }

  func opened() async {
    await withCheckedContinuation { continuation in
      let isOpen = waiter.withLock { waiter in
        if !waiter.isOpen { waiter.continuation = continuation }
        return waiter.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }
}
