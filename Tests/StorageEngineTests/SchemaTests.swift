import ByteText
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
    try await database.client.run("CREATE TABLE wp_posts (id bigint)")
    let error = await #expect(throws: SchemaError.self) { try await Schema.prepare(database.client, serverRole: .main) }
    #expect(error?.description.contains("another program") == true)
    #expect(try await relations(database.client) == 1)
  }

  @Test(arguments: [(93, "older"), (72, "older"), (95, "newer")])
  func anotherVersionIsRefusedAndLeftAsItIs(version: Int, word: Text) async throws {
    let database = try await TestDatabase.scratch()
    try await database.client.run("CREATE TABLE schema_version (lock char(1), version integer, upgraded boolean)")
    try await database.client.run("INSERT INTO schema_version VALUES ('X', \(version), true)")
    let error = await #expect(throws: SchemaError.self) { try await Schema.prepare(database.client, serverRole: .main) }
    #expect(error?.description.contains("\(version), \(word)") == true)
    #expect(try await relations(database.client) == 1)
  }

  /// What makes a database of version 94 unusable, and the word for it in the refusal.
  @Test(arguments: [
    ("DROP TABLE profile_updates CASCADE", "table profile_updates"),
    ("ALTER TABLE devices DROP COLUMN last_seen", "column devices.last_seen"),
    ("ALTER TABLE devices ALTER COLUMN last_seen TYPE text", "column devices.last_seen of type bigint (it has text)"),
    ("ALTER TABLE event_json DROP CONSTRAINT event_json_event_id_key", "unique key (event_id) of event_json"),
    ("DROP INDEX delayed_events_idx", "unique index delayed_events_idx of delayed_events"),
    ("DROP SEQUENCE profile_updates_sequence", "sequence profile_updates_sequence"),
    ("DELETE FROM applied_schema_deltas WHERE file LIKE '94/07%'", "migration 94/07_profile_updates.sql"),
  ])
  func aDatabaseThatLacksSomethingOfItsVersionIsRefused(change: Text, word: Text) async throws {
    let database = try await TestDatabase.scratch()
    try await Schema.prepare(database.client, serverRole: .main)
    try await database.client.run(SQL(stringLiteral: change.string))
    let error = await #expect(throws: SchemaError.self) {
      try await Schema.prepare(database.client, serverRole: .worker)
    }
    #expect(error?.description.contains(word.string) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("Start Synapse 1.163.2 or later") == true)
  }

  /// What administrators, older beginnings and later migrations leave behind.
  @Test func whatADatabaseHasBesidesAndIndexesThatOnlyMakeItFastDoNotMatter() async throws {
    let database = try await TestDatabase.scratch()
    try await Schema.prepare(database.client, serverRole: .main)
    let changes = [
      "CREATE TABLE notes (id bigint)", "ALTER TABLE users ADD COLUMN remark text", "CREATE INDEX ON users (remark)",
      "ALTER TABLE devices ALTER COLUMN last_seen TYPE integer",
      "ALTER TABLE devices ALTER COLUMN hidden DROP NOT NULL",
      "ALTER TABLE profiles ALTER COLUMN displayname TYPE character varying(300)",
      "ALTER INDEX event_json_event_id_key RENAME TO other", "DELETE FROM applied_schema_deltas WHERE version < 94",
      "INSERT INTO applied_schema_deltas VALUES (94, '94/12_later.sql')",
      "DROP INDEX receipts_linearized_id", "DROP INDEX delayed_events_idx",
      "INSERT INTO background_updates (update_name, progress_json) VALUES ('later', '{}')",
    ]
    for change in changes { try await database.client.run(SQL(stringLiteral: change.string)) }
    var said: [Text] = []
    #expect(try await Schema.prepare(database.client, serverRole: .main) { said.append($0) } == .accepted)
    #expect(
      said.count == 1 && said[0].contains("receipts_linearized_id") && said[0].contains("delayed_events_idx")
        && said[0].contains("later"), "\(said)")
  }

  @Test func aVersionTableWithoutAVersionIsRefused() async throws {
    let database = try await TestDatabase.scratch()
    try await database.client.run("CREATE TABLE schema_version (lock char(1), version integer, upgraded boolean)")
    let error = await #expect(throws: SchemaError.self) { try await Schema.prepare(database.client, serverRole: .main) }
    #expect(error?.description.contains("interrupted") == true)
  }

  @Test(arguments: [("LATIN1", "C", "UTF8"), ("UTF8", "C.UTF-8", "collation")] as [(Text, Text, Text)])
  func anotherEncodingOrLocaleIsRefusedWithTheRemedy(encoding: Text, locale: Text, word: Text) async throws {
    let database = try await TestPostgres.shared().scratchDatabase(encoding: encoding, locale: locale)
    let error = await #expect(throws: SchemaError.self) { try await Schema.prepare(database.client, serverRole: .main) }
    #expect(error?.description.contains(word.string) == true)
    #expect(error?.description.contains("createdb --encoding=UTF8 --locale=C") == true)
    #expect(try await relations(database.client) == 0)
  }

  @Test func damagedTextIsRefused() {
    for text in ["  id bigint", "table", "tabel x", "table x\n  id", "table x\n  index a btree", "table x y"] {
      #expect(throws: SchemaError.self) { try SchemaDescription.parseTables(text) }
    }
  }

  private func relations(_ client: PostgresClient) async throws -> Int {
    try await client.run(
      """
      SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relkind <> 'i'
      """)[0].get(0)
  }
}
