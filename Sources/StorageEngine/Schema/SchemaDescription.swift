/// Holds the schema as values: what every database has that Synapse 1.163.2 calls version 94.
///
/// Read from ``SchemaText``, in which a table is a paragraph: its name (`table` or `unlogged table`), then a line for each column
/// (`name type`, then `not null`, `identity`, `default …` where they apply) and for each constraint or index:
///
/// ```
/// table example
///   id bigint not null
///   name text default 'x'::text
///   primary example_pkey (id)
///   unique example_name_key (name)
///   check example_check ((id > 0))
///   foreign example_fkey (name) REFERENCES users(name)
///   index example_idx btree (name) where (id > 0)
///   unique index example_idx2 btree (name, id)
/// ```
struct SchemaDescription: Sendable {
  struct Column: Sendable, Hashable {
    var name: String
    var type: String
    var isNotNull = false
    var isIdentity = false
    var defaultExpression: String?
  }

  enum ConstraintKind: String, Sendable, Hashable {
    case primary, unique, check, foreign
  }

  struct Constraint: Sendable, Hashable {
    var kind: ConstraintKind
    var name: String
    /// What follows the kind's keywords in SQL.
    var definition: String
  }

  struct Index: Sendable, Hashable {
    var name: String
    var isUnique: Bool
    var method: String
    var keys: String
    var condition: String?
  }

  struct Table: Sendable, Hashable {
    var name: String
    var isUnlogged = false
    var columns: [Column] = []
    var constraints: [Constraint] = []
    var indexes: [Index] = []
  }

  struct Sequence: Sendable, Hashable {
    var name: String
    var start: Int64
    /// The last value handed out in a new database.
    var lastValue: Int64?
  }

  var tables: [Table]
  var sequences: [Sequence]
  /// The migrations that the schema contains: version and `folder/file`.
  var deltas: [(version: Int64, file: String)]

  /// Reads the schema of version 94.
  static func version94() throws(SchemaError) -> SchemaDescription {
    var tables: [Table] = []
    for text in [SchemaText.tablesAToD, SchemaText.tablesEToK, SchemaText.tablesLToR, SchemaText.tablesSToZ] {
      tables += try parseTables(text)
    }
    return SchemaDescription(
      tables: tables, sequences: try parseSequences(SchemaText.sequences), deltas: try parseDeltas(SchemaText.deltas))
  }

  static func parseTables(_ text: String) throws(SchemaError) -> [Table] {
    var tables: [Table] = []
    for line in text.split(separator: "\n") {
      if line.hasPrefix(" ") {
        guard var table = tables.popLast() else { throw .malformed(line) }
        try parseMember(line.drop { $0 == " " }, of: &table)
        tables.append(table)
      } else {
        var words = line.split(separator: " ")
        let isUnlogged = words.first == "unlogged"
        if isUnlogged { words.removeFirst() }
        guard words.count == 2, words[0] == "table" else { throw .malformed(line) }
        tables.append(Table(name: String(words[1]), isUnlogged: isUnlogged))
      }
    }
    return tables
  }

  private static func parseMember(_ line: Substring, of table: inout Table) throws(SchemaError) {
    let words = line.split(separator: " ", maxSplits: 2)
    guard words.count >= 2 else { throw .malformed(line) }
    if words[0] == "index" || (words[0] == "unique" && words[1] == "index") {
      table.indexes.append(try parseIndex(line))
    } else if let kind = ConstraintKind(rawValue: String(words[0])), words.count == 3, words[2].hasPrefix("(") {
      table.constraints.append(Constraint(kind: kind, name: String(words[1]), definition: String(words[2])))
    } else {
      table.columns.append(parseColumn(name: words[0], rest: line.dropFirst(words[0].count + 1)))
    }
  }

  private static func parseColumn(name: Substring, rest: Substring) -> Column {
    var column = Column(name: String(name), type: "")
    var rest = rest
    if let range = rest.firstRange(of: " default ") {
      column.defaultExpression = String(rest[range.upperBound...])
      rest = rest[..<range.lowerBound]
    }
    if rest.hasSuffix(" identity") {
      column.isIdentity = true
      rest = rest.dropLast(" identity".count)
    }
    if rest.hasSuffix(" not null") {
      column.isNotNull = true
      rest = rest.dropLast(" not null".count)
    }
    column.type = String(rest)
    return column
  }

  private static func parseIndex(_ line: Substring) throws(SchemaError) -> Index {
    let isUnique = line.hasPrefix("unique ")
    let words = line.dropFirst(isUnique ? "unique index ".count : "index ".count).split(separator: " ", maxSplits: 2)
    guard words.count == 3, words[2].hasPrefix("(") else { throw .malformed(line) }
    var keys = words[2]
    var condition: String?
    if let range = keys.firstRange(of: " where ") {
      condition = String(keys[range.upperBound...])
      keys = keys[..<range.lowerBound]
    }
    return Index(
      name: String(words[0]), isUnique: isUnique, method: String(words[1]), keys: String(keys.dropFirst().dropLast()),
      condition: condition)
  }

  private static func parseSequences(_ text: String) throws(SchemaError) -> [Sequence] {
    var sequences: [Sequence] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 3, let start = Int64(words[1]) else { throw .malformed(line) }
      sequences.append(Sequence(name: String(words[0]), start: start, lastValue: Int64(words[2])))
    }
    return sequences
  }

  private static func parseDeltas(_ text: String) throws(SchemaError) -> [(version: Int64, file: String)] {
    var deltas: [(version: Int64, file: String)] = []
    for line in text.split(separator: "\n") {
      guard let version = line.split(separator: "/").first.flatMap({ Int64($0) }) else { throw .malformed(line) }
      deltas.append((version, String(line)))
    }
    return deltas
  }
}
