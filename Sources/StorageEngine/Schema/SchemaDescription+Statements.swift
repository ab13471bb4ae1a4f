import ByteText
import Postgres

extension SchemaDescription {
  /// The statements that make the schema in an empty database, in an order in which they succeed.
  var statements: [SQL] {
    var result = sequences.filter { $0.name != SchemaDescription.serialSequence }.map(\.createStatement)
    result.append(SQL(stringLiteral: "CREATE SEQUENCE \(SchemaDescription.serialSequence) AS integer"))
    result += tables.map(\.createStatement)
    result.append(
      SQL(stringLiteral: "ALTER SEQUENCE \(SchemaDescription.serialSequence) OWNED BY instance_map.instance_id"))
    for table in tables { result += table.indexes.map { $0.createStatement(table: table.name) } }
    for table in tables { result += table.foreignKeyStatements }
    result += SchemaRoutines.statements
    result += SchemaDescription.plannerHints
    result += sequences.compactMap(\.advanceStatement)
    result += SchemaRows.statements(deltas: deltas)
    return result.map { $0.uncached() }
  }

  /// The sequence behind the one `serial` column.
  private static let serialSequence = "instance_map_instance_id_seq"

  /// The statements that inform the planner of what it cannot find out by sampling these large tables.
  private static let plannerHints: [SQL] = [
    "ALTER TABLE state_groups_state ALTER COLUMN state_group SET (n_distinct = -0.02)",
    "ALTER TABLE event_search ALTER COLUMN room_id SET (n_distinct = -0.01)",
    "ALTER TABLE event_auth_chain_links ALTER COLUMN origin_chain_id SET (n_distinct = -0.5)",
    "ALTER TABLE event_auth_chain_links ALTER COLUMN target_chain_id SET (n_distinct = -0.5)",
  ]
}

extension SchemaDescription.Sequence {
  fileprivate var createStatement: SQL {
    SQL(stringLiteral: "CREATE SEQUENCE \(name) START WITH \(start)")
  }

  fileprivate var advanceStatement: SQL? {
    lastValue.map { SQL(stringLiteral: "SELECT setval('\(name)', \($0))") }
  }
}

extension SchemaDescription.Table {
  fileprivate var createStatement: SQL {
    let members = columns.map(\.definition) + constraints.compactMap(\.tableMember)
    return SQL(
      stringLiteral: "CREATE \(isUnlogged ? "UNLOGGED " : "")TABLE \(name) (\(members.joined(separator: ", ")))")
  }

  /// Foreign keys come after all tables, because they name others.
  fileprivate var foreignKeyStatements: [SQL] {
    constraints.filter { $0.kind == .foreign }.map {
      SQL(stringLiteral: "ALTER TABLE \(name) ADD CONSTRAINT \($0.name) FOREIGN KEY \($0.definition)")
    }
  }
}

extension SchemaDescription.Column {
  fileprivate var definition: Text {
    var text = "\"\(name)\" \(type)"
    if isIdentity { text += " GENERATED ALWAYS AS IDENTITY" }
    if isNotNull { text += " NOT NULL" }
    if let defaultExpression { text += " DEFAULT \(defaultExpression)" }
    return text
  }
}

extension SchemaDescription.Constraint {
  /// The constraint as a member of CREATE TABLE; nil for what is added later.
  fileprivate var tableMember: Text? {
    switch kind {
    case .primary: "CONSTRAINT \(name) PRIMARY KEY \(definition)"
    case .unique: "CONSTRAINT \(name) UNIQUE \(definition)"
    case .check: "CONSTRAINT \(name) CHECK \(definition)"
    case .foreign: nil
    }
  }
}

extension SchemaDescription.Index {
  fileprivate func createStatement(table: Text) -> SQL {
    var text = "CREATE \(isUnique ? "UNIQUE " : "")INDEX \(name) ON \(table) USING \(method) (\(keys))"
    if let condition { text += " WHERE \(condition)" }
    return SQL(stringLiteral: text.string)
  }
}
