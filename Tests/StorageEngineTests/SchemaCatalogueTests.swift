import ByteText
import Postgres
import TestSupport
import Testing

@testable import StorageEngine

/// What PostgreSQL says about a new database, compared with the facts that are kept in the program.
@Suite struct SchemaCatalogueTests {
  private static let database = Task { try await TestDatabase.withSchema() }

  private func rows(_ sql: SQL) async throws -> PostgresRows {
    try await Self.database.value.client.run(sql)
  }

  @Test func columnsHaveTheirTypesNullabilityAndDefaults() async throws {
    let found = try await rows(
      """
      SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity = 'a',
        pg_get_expr(d.adbin, d.adrelid), c.relpersistence = 'u'
      FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY c.relname, a.attnum
      """)
    var tables: [Text: (isUnlogged: Bool, columns: [SchemaDescription.Column])] = [:]
    for row in found {
      let (table, name, type, isNotNull, isIdentity, expression, isUnlogged) = try row.decode(
        Text.self, Text.self, Text.self, Bool.self, Bool.self, Text?.self, Bool.self)
      tables[table, default: (isUnlogged, [])].columns.append(
        SchemaDescription.Column(
          name: name, type: type, isNotNull: isNotNull, isIdentity: isIdentity, defaultExpression: expression))
    }
    let described = try SchemaDescription.version94().tables
    #expect(described.count == 176)
    #expect(Set(tables.keys) == Set(described.map(\.name)))
    for table in described {
      #expect(tables[table.name]?.columns == table.columns, "\(table.name)")
      #expect(tables[table.name]?.isUnlogged == table.isUnlogged, "\(table.name)")
    }
  }

  @Test func constraintsAreAsDescribed() async throws {
    let found = try await rows(
      """
      SELECT conrelid::regclass::text, conname::text, contype::text, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      """)
    let kinds: [Text: Text] = ["p": "PRIMARY KEY", "u": "UNIQUE", "c": "CHECK", "f": "FOREIGN KEY"]
    var actual: Set<[Text]> = []
    for row in found {
      let (table, name, kind, definition) = try row.decode(Text.self, Text.self, Text.self, Text.self)
      let keywords = try #require(kinds[kind])
      actual.insert([table, name, kind, definition.dropFirst(keywords.utf8.count + 1)])
    }
    var expected: Set<[Text]> = []
    for table in try SchemaDescription.version94().tables {
      for constraint in table.constraints {
        expected.insert([
          table.name, constraint.name, Text(constraint.kind.rawValue.utf8.prefix(1)), constraint.definition,
        ])
      }
    }
    #expect(actual.subtracting(expected).sorted { $0[1] < $1[1] } == [])
    #expect(expected.subtracting(actual).sorted { $0[1] < $1[1] } == [])
  }

  @Test func indexesAreAsDescribed() async throws {
    let found = try await rows(
      """
      SELECT t.relname::text, pg_get_indexdef(i.indexrelid) FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid
      WHERE t.relnamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u'))
      """)
    let actual = Set(try found.map { try $0.get(1, as: Text.self) })
    var expected: Set<Text> = []
    for table in try SchemaDescription.version94().tables {
      for index in table.indexes {
        let condition = index.condition.map { " WHERE \($0)" } ?? ""
        expected.insert(
          "CREATE \(index.isUnique ? "UNIQUE " : "")INDEX \(index.name) ON public.\(table.name) USING \(index.method) "
            + "(\(index.keys))\(condition)")
      }
    }
    #expect(actual.subtracting(expected).sorted() == [])
    #expect(expected.subtracting(actual).sorted() == [])
  }

  @Test func sequencesStandWhereANewDatabaseHasThem() async throws {
    let found = try await rows(
      "SELECT sequencename::text, start_value, last_value, data_type::text FROM pg_sequences WHERE schemaname = 'public'"
    )
    var actual: [Text: (start: Int64, last: Int64?, type: Text)] = [:]
    for row in found {
      let (name, start, last, type) = try row.decode(Text.self, Int64.self, Int64?.self, Text.self)
      actual[name] = (start, last, type)
    }
    let description = try SchemaDescription.version94()
    let identities = description.tables.flatMap { table in
      table.columns.filter(\.isIdentity).map { "\(table.name)_\($0.name)_seq" }
    }
    #expect(Set(actual.keys) == Set(description.sequences.map(\.name)).union(identities.map { $0.utf8Prefix(63) }))
    for sequence in description.sequences {
      #expect(actual[sequence.name]?.start == sequence.start, "\(sequence.name)")
      #expect(actual[sequence.name]?.last == sequence.lastValue, "\(sequence.name)")
    }
    #expect(actual["instance_map_instance_id_seq"]?.type == "integer")
    #expect(actual["events_stream_seq"]?.last == 1)
    #expect(actual["thread_subscriptions_sequence"]?.last == 2)
    #expect(identities.count == 4)
  }

  @Test func theFirstRowsAreThere() async throws {
    let one: [(SQL, Text)] = [
      ("SELECT version::text || upgraded::text FROM schema_version", "94true"),
      ("SELECT compat_version::text FROM schema_compat_version", "84"),
      ("SELECT stream_ordering::text FROM appservice_stream_position", "0"),
      ("SELECT stream_id::text || room_id FROM device_lists_changes_converted_stream_position", "1"),
      ("SELECT stream_id::text FROM user_directory_stream_pos", "-1"),
      (
        "SELECT string_agg(type || stream_id || instance_name, ',' ORDER BY type) FROM federation_stream_position",
        "events-1master,federation-1master"
      ),
      ("SELECT count(*)::text FROM applied_schema_deltas", "132"),
      ("SELECT count(*)::text FROM background_updates", "0"),
    ]
    for (sql, expected) in one { #expect(try await rows(sql).map { try $0.get(0, as: Text.self) } == [expected]) }
  }

  @Test func plannerHintsAreSet() async throws {
    let found = try await rows(
      "SELECT attrelid::regclass::text || '.' || attname || attoptions[1] FROM pg_attribute WHERE attoptions IS NOT NULL"
    )
    #expect(
      Set(try found.map { try $0.get(0, as: Text.self) }) == [
        "state_groups_state.state_groupn_distinct=-0.02", "event_search.room_idn_distinct=-0.01",
        "event_auth_chain_links.origin_chain_idn_distinct=-0.5",
        "event_auth_chain_links.target_chain_idn_distinct=-0.5",
      ])
  }
}
