import ByteText

/// The schema as values: what every database has that Synapse 1.163.2 calls version 94.
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
    var name: Text
    var type: Text
    var isNotNull = false
    var isIdentity = false
    var defaultExpression: Text?
  }

  enum ConstraintKind: Text, Sendable, Hashable {
    case primary, unique, check, foreign
  }

  struct Constraint: Sendable, Hashable {
    var kind: ConstraintKind
    var name: Text
    /// What follows the kind's keywords in SQL.
    var definition: Text
  }

  struct Index: Sendable, Hashable {
    var name: Text
    var isUnique: Bool
    var method: Text
    var keys: Text
    var condition: Text?
  }

  struct Table: Sendable, Hashable {
    var name: Text
    var isUnlogged = false
    var columns: [Column] = []
    var constraints: [Constraint] = []
    var indexes: [Index] = []
  }

  struct Sequence: Sendable, Hashable {
    var name: Text
    var start: Int64
    /// The last value handed out in a new database.
    var lastValue: Int64?
  }

  var tables: [Table]
  var sequences: [Sequence]
  /// The migrations that the schema contains: version and `folder/file`.
  var deltas: [(version: Int64, file: Text)]

  /// Reads the schema of version 94.
  static func version94() throws(SchemaError) -> SchemaDescription {
    var tables: [Table] = []
    for text in [SchemaText.tablesAToD, SchemaText.tablesEToK, SchemaText.tablesLToR, SchemaText.tablesSToZ] {
      tables += try parseTables(text)
    }
    return SchemaDescription(
      tables: tables, sequences: try parseSequences(SchemaText.sequences), deltas: try parseDeltas(SchemaText.deltas))
  }

  static func parseTables(_ text: Text) throws(SchemaError) -> [Table] {
    var tables: [Table] = []
    for line in text.lines {
      if line.hasPrefix(" ") {
        guard var table = tables.popLast() else { throw .malformed(line) }
        try parseMember(line.trimmed, of: &table)
        tables.append(table)
      } else {
        var words = line.split(separator: UInt8(ascii: " "))
        let isUnlogged = words.first == "unlogged"
        if isUnlogged { words.removeFirst() }
        guard words.count == 2, words[0] == "table" else { throw .malformed(line) }
        tables.append(Table(name: words[1], isUnlogged: isUnlogged))
      }
    }
    return tables
  }

  private static func parseMember(_ line: Text, of table: inout Table) throws(SchemaError) {
    let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
    guard words.count >= 2 else { throw .malformed(line) }
    if words[0] == "index" || (words[0] == "unique" && words[1] == "index") {
      table.indexes.append(try parseIndex(line))
    } else if let kind = ConstraintKind(rawValue: words[0]), words.count == 3, words[2].hasPrefix("(") {
      table.constraints.append(Constraint(kind: kind, name: words[1], definition: words[2]))
    } else {
      table.columns.append(parseColumn(name: words[0], rest: line.dropFirst(words[0].utf8.count + 1)))
    }
  }

  private static func parseColumn(name: Text, rest: Text) -> Column {
    var column = Column(name: name, type: "")
    var rest = rest
    if let (before, after) = rest.cut(at: " default ") {
      column.defaultExpression = after
      rest = before
    }
    if rest.hasSuffix(" identity") {
      column.isIdentity = true
      rest = rest.dropLast(" identity".utf8.count)
    }
    if rest.hasSuffix(" not null") {
      column.isNotNull = true
      rest = rest.dropLast(" not null".utf8.count)
    }
    column.type = rest
    return column
  }

  private static func parseIndex(_ line: Text) throws(SchemaError) -> Index {
    let isUnique = line.hasPrefix("unique ")
    let words = line.dropFirst(isUnique ? "unique index ".utf8.count : "index ".utf8.count).split(
      separator: UInt8(ascii: " "), maxSplits: 2)
    guard words.count == 3, words[2].hasPrefix("(") else { throw .malformed(line) }
    var keys = words[2]
    var condition: Text?
    if let (before, after) = keys.cut(at: " where ") {
      condition = after
      keys = before
    }
    return Index(
      name: words[0], isUnique: isUnique, method: words[1], keys: keys.dropFirst().dropLast(),
      condition: condition)
  }

  private static func parseSequences(_ text: Text) throws(SchemaError) -> [Sequence] {
    var sequences: [Sequence] = []
    for line in text.lines {
      let words = line.split(separator: UInt8(ascii: " "))
      guard words.count == 3, let start = Int64(words[1]) else { throw .malformed(line) }
      sequences.append(Sequence(name: words[0], start: start, lastValue: Int64(words[2])))
    }
    return sequences
  }

  private static func parseDeltas(_ text: Text) throws(SchemaError) -> [(version: Int64, file: Text)] {
    var deltas: [(version: Int64, file: Text)] = []
    for line in text.lines {
      guard let version = line.split(separator: UInt8(ascii: "/")).first.flatMap({ Int64($0) }) else {
        throw .malformed(line)
      }
      deltas.append((version, line))
    }
    return deltas
  }
}
