import Logging
import Postgres
import TestSupport
import Testing

@testable import StorageEngine

@Suite(.timeLimit(.minutes(1))) struct InstanceSessionsTests {
  private let sessions = InstanceSessions(instanceName: "event_persister1")

  /// Connects as a process of that name does.
  private func process(_ sessions: InstanceSessions, _ database: TestDatabase) -> PostgresClient {
    var configuration = database.configuration(maximumConnections: 1)
    configuration.sessionStatement = sessions.statement
    configuration.maximumAttempts = 1
    return PostgresClient(configuration, logger: .silent)
  }

  @Test func aTransactionOfThePredecessorIsCommittedBeforeTheWaitEnds() async throws {
    let database = try await TestDatabase.scratch()
    try await database.client.run("CREATE TABLE log (n bigint)")
    let begun = Gate()
    let predecessor = process(sessions, database)
    let transaction = Task {
      try await predecessor.transaction("late") { txn in
        try txn.execute("INSERT INTO log VALUES (1)")
        begun.open()
        try txn.execute("SELECT pg_sleep(0.3)")
      }
      await predecessor.shutdown()
    }
    await begun.wait()
    try await sessions.waitForPredecessor(database.configuration(), patience: .seconds(30), logger: .silent)
    #expect(try await database.client.run("SELECT n FROM log").count == 1)
    try await transaction.value
  }

  @Test func aSessionThatDoesNotEndIsEnded() async throws {
    let database = try await TestDatabase.scratch()
    try await database.client.run("CREATE TABLE log (n bigint)")
    let begun = Gate()
    let predecessor = process(sessions, database)
    let transaction = Task {
      try await predecessor.transaction("stuck") { txn in
        try txn.execute("INSERT INTO log VALUES (1)")
        begun.open()
        try txn.execute("SELECT pg_sleep(3600)")
      }
    }
    await begun.wait()
    // A living process connects again at once; this one is told to stop, as a dead one cannot.
    async let stopped: Void = predecessor.shutdown()
    try await sessions.waitForPredecessor(database.configuration(), patience: .milliseconds(50), logger: .silent)
    #expect(try await database.client.run("SELECT n FROM log").isEmpty)
    await stopped
    await #expect(throws: PostgresError.self) { try await transaction.value }
  }

  @Test func aLivingProcessOfTheSameNameIsReported() async throws {
    let database = try await TestDatabase.scratch()
    let living = process(sessions, database)
    let busy = Task {
      while !Task.isCancelled { _ = try? await living.transaction("busy") { try $0.query("SELECT 1").count } }
    }
    let error = await #expect(throws: InstanceSessionError.self) {
      while true {
        try await sessions.waitForPredecessor(database.configuration(), patience: .zero, logger: .silent)
      }
    }
    #expect(error?.description.contains("event_persister1") == true)
    busy.cancel()
    await busy.value
    await living.shutdown()
  }

  @Test func processesOfOtherNamesAreNotWaitedFor() async throws {
    let database = try await TestDatabase.scratch()
    let other = process(InstanceSessions(instanceName: "event_persister2"), database)
    try await other.start()
    try await sessions.waitForPredecessor(database.configuration(), logger: .silent)
    #expect(try await other.transaction("alive") { try $0.query("SELECT 1").count } == 1)
    await other.shutdown()
  }
}
