import Postgres
import TestSupport
import Testing

@testable import StorageEngine

@Suite struct SchemaTests {
  @Test func anEmptyDatabaseIsCreatedOnceAndThenAccepted() async throws {
    let database = try await TestDatabase.scratch()
    #expect(try await Schema.prepare(database.client, serverRole: .main) == .created)
    #expect(try await Schema.prepare(database.client, serverRole: .main) == .accepted)
    #expect(try await Schema.prepare(database.client, serverRole: .worker) == .accepted)
  }

  @Test func processesThatStartTogetherDoNotCollide() async throws {
    let database = try await TestDatabase.scratch()
    let clients = (0..<4).map { _ in PostgresClient(database.configuration(maximumConnections: 1), logger: .silent) }
    let outcomes = try await withThrowingTaskGroup(of: Schema.Outcome.self) { group in
      for client in clients { group.addTask { try await Schema.prepare(client, serverRole: .main) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 == .created }.count == 1)
    #expect(outcomes.count == 4)
    for client in clients { await client.shutdown() }
  }

  @Test func aWorkerRefusesAnEmptyDatabaseAndLeavesItEmpty() async throws {
    let database = try await TestDatabase.scratch()
    let error = await #expect(throws: SchemaError.self) {
      try await Schema.prepare(database.client, serverRole: .worker)
    }
    #expect(error?.description.contains("main process") == true)
    #expect(try await relations(database.client) == 0)
  }

  @Test func aForeignDatabaseIsRefusedAndLeftAsItIs() async throws {
    let database = try await TestDatabase.scratch()
    try await database.client.read("CREATE TABLE wp_posts (id bigint)")
    let error = await #expect(throws: SchemaError.self) { try await Schema.prepare(database.client, serverRole: .main) }
    #expect(error?.description.contains("another program") == true)
    #expect(try await relations(database.client) == 1)
  }

  @Test(arguments: [(93, "older"), (72, "older"), (95, "newer")])
  func anotherVersionIsRefusedAndLeftAsItIs(version: Int, word: String) async throws {
    let database = try await TestDatabase.scratch()
    try await database.client.read("CREATE TABLE schema_version (lock char(1), version integer, upgraded boolean)")
    try await database.client.read("INSERT INTO schema_version VALUES ('X', \(version), true)")
    let error = await #expect(throws: SchemaError.self) { try await Schema.prepare(database.client, serverRole: .main) }
    #expect(error?.description.contains("\(version), \(word)") == true)
    #expect(try await relations(database.client) == 1)
  }

  @Test func aVersionTableWithoutAVersionIsRefused() async throws {
    let database = try await TestDatabase.scratch()
    try await database.client.read("CREATE TABLE schema_version (lock char(1), version integer, upgraded boolean)")
    let error = await #expect(throws: SchemaError.self) { try await Schema.prepare(database.client, serverRole: .main) }
    #expect(error?.description.contains("interrupted") == true)
  }

  @Test(arguments: [("LATIN1", "C", "UTF8"), ("UTF8", "C.UTF-8", "collation")])
  func anotherEncodingOrLocaleIsRefusedWithTheRemedy(encoding: String, locale: String, word: String) async throws {
    let database = try await TestPostgres.shared().scratchDatabase(encoding: encoding, locale: locale)
    let error = await #expect(throws: SchemaError.self) { try await Schema.prepare(database.client, serverRole: .main) }
    #expect(error?.description.contains(word) == true)
    #expect(error?.description.contains("createdb --encoding=UTF8 --locale=C") == true)
    #expect(try await relations(database.client) == 0)
  }

  @Test func damagedTextIsRefused() {
    for text in ["  id bigint", "table", "tabel x", "table x\n  id", "table x\n  index a btree", "table x y"] {
      #expect(throws: SchemaError.self) { try SchemaDescription.parseTables(text) }
    }
  }

  private func relations(_ client: PostgresClient) async throws -> Int {
    try await client.read(
      """
      SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relkind <> 'i'
      """)[0].get(0)
  }
}
