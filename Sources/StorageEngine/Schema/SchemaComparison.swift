import ByteText
import Postgres

/// What a database lacks of the schema that all stores rely on.
///
/// The version alone does not suffice: Synapse adds migrations to a version that was released before. What a database has besides (columns and
/// indexes of administrators and of later migrations, stricter or looser constraints) is none of this server's business.
struct SchemaComparison: Sendable {
  /// What statements fail without, in the words of a message.
  private(set) var missing: [Text] = []
  /// Migrations of the newest version that have not been applied.
  private(set) var missingDeltas: [Text] = []
  /// Indexes without which statements are slow, and those that Synapse has still to make.
  private(set) var slow: [Text] = []
  /// Changes to the data that Synapse has not finished.
  private(set) var pendingUpdates: [Text] = []

  /// Reads the catalogue: four statements, however many tables there are.
  init(_ description: SchemaDescription, _ txn: Transaction) throws(PostgresError) {
    pendingUpdates = try Self.texts(txn, "SELECT update_name FROM background_updates").sorted()
    let sequences = try Self.sequences(txn)
    missing += description.sequences.filter { !sequences.contains($0.name) }.map { "sequence \($0.name)" }
    let columns = try Self.columns(txn)
    let indexes = try Self.indexes(txn)
    for table in description.tables {
      guard let found = columns[table.name] else {
        missing.append("table \(table.name)")
        continue
      }
      missing += table.columns.compactMap { Self.complaint($0, found, table.name) }
      compare(table, indexes[table.name] ?? [])
    }
    let deltas = try Self.texts(txn, "SELECT file FROM applied_schema_deltas")
    missingDeltas = description.deltas.filter { $0.version == Schema.version && !deltas.contains($0.file) }.map(\.file)
  }

  /// Whether statements can rely on the database.
  var isUsable: Bool { missing.isEmpty && missingDeltas.isEmpty }

  /// A way to find rows: `btree (user_id) WHERE …`.
  private struct Index: Hashable {
    let isUnique: Bool
    let definition: Text
  }

  private mutating func compare(_ table: SchemaDescription.Table, _ found: Set<Index>) {
    for constraint in table.constraints where constraint.kind == .primary || constraint.kind == .unique {
      if !found.contains(Index(isUnique: true, definition: "btree \(constraint.definition)")) {
        missing.append("unique key \(constraint.definition) of \(table.name)")
      }
    }
    for index in table.indexes {
      let definition = "\(index.method) (\(index.keys))" + (index.condition.map { " WHERE \($0)" } ?? "")
      if found.contains(Index(isUnique: true, definition: definition)) { continue }
      // Synapse makes some of its indexes in the background, long after a database was begun.
      if index.isUnique && pendingUpdates.isEmpty {
        missing.append("unique index \(index.name) of \(table.name)")
      } else if !found.contains(Index(isUnique: false, definition: definition)) {
        slow.append("\(index.name) of \(table.name)")
      }
    }
  }

  private static func complaint(
    _ column: SchemaDescription.Column, _ found: [Text: Text], _ table: Text
  ) -> Text? {
    guard let type = found[column.name] else { return "column \(table).\(column.name)" }
    guard family(type) != family(column.type) else { return nil }
    return "column \(table).\(column.name) of type \(column.type) (it has \(type))"
  }

  /// Types that take the same values in statements; databases that began long ago have narrower ones here and there.
  private static func family(_ type: Text) -> Text {
    if type.hasPrefix("character") { return "text" }
    return ["smallint", "integer"].contains(type) ? "bigint" : type
  }

  private static func columns(_ txn: Transaction) throws(PostgresError) -> [Text: [Text: Text]] {
    let rows = try txn.query(
      """
      SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
      FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
      WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND pg_table_is_visible(c.oid)
      AND c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY(current_schemas(false)))
      """)
    var result: [Text: [Text: Text]] = [:]
    for row in rows {
      let (table, column, type) = try row.decode(Text.self, Text.self, Text.self)
      result[table, default: [:]][column] = type
    }
    return result
  }

  private static func indexes(_ txn: Transaction) throws(PostgresError) -> [Text: Set<Index>] {
    let rows = try txn.query(
      """
      SELECT t.relname::text, i.indisunique, pg_get_indexdef(i.indexrelid)
      FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid
      WHERE i.indisvalid AND pg_table_is_visible(t.oid)
      AND t.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY(current_schemas(false)))
      """)
    var result: [Text: Set<Index>] = [:]
    for row in rows {
      let (table, isUnique, text) = try row.decode(Text.self, Bool.self, Text.self)
      guard let (_, definition) = text.cut(at: " USING ") else { continue }
      result[table, default: []].insert(Index(isUnique: isUnique, definition: definition))
    }
    return result
  }

  private static func sequences(_ txn: Transaction) throws(PostgresError) -> Set<Text> {
    try texts(txn, "SELECT relname::text FROM pg_class WHERE relkind = 'S' AND pg_table_is_visible(oid)")
  }

  private static func texts(_ txn: Transaction, _ sql: SQL) throws(PostgresError) -> Set<Text> {
    var result: Set<Text> = []
    for row in try txn.query(sql) { result.insert(try row.get(0, as: Text.self)) }
    return result
  }
}
