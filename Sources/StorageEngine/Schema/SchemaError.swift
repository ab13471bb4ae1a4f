import ByteText

/// The reason why a database cannot be used; the description is a sentence for the administrator.
public struct SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
  private let message: Text

  /// What is wrong and what mends it.
  public var description: String { message.string }

  init(_ message: Text) { self.message = message }

  static func malformed(_ line: Text) -> SchemaError {
    SchemaError("the schema contained in this program is damaged at: \(line)")
  }

  static func serverTooOld(_ version: Int) -> SchemaError {
    SchemaError("PostgreSQL \(version / 10_000) is too old: version 14 or later is needed.")
  }

  static func wrongEncoding(_ database: Text, _ encoding: Text) -> SchemaError {
    SchemaError(
      "The database \(database) has the encoding \(encoding), but UTF8 is needed. \(recreate(database))")
  }

  static func wrongLocale(_ database: Text, collation: Text, characterType: Text) -> SchemaError {
    SchemaError(
      """
      The database \(database) has the collation '\(collation)' and the ctype '\(characterType)', but both have to be 'C', \
      because other collations change with the operating system and then damage indexes. \(recreate(database))
      """)
  }

  private static func recreate(_ database: Text) -> Text {
    """
    Create it anew with: createdb --encoding=UTF8 --locale=C --template=template0 \(database); \
    or dump it and restore it into one made so.
    """
  }

  static func foreign(_ database: Text, _ relations: Int) -> SchemaError {
    SchemaError(
      """
      The database \(database) is not empty (\(relations) tables or sequences) and has no schema_version, so it belongs to \
      another program. Name an empty database, or one of Synapse with schema version \(Schema.version).
      """)
  }

  static func unfinished(_ database: Text) -> SchemaError {
    SchemaError(
      """
      The database \(database) has tables of Synapse but no schema version, so its setup was interrupted. Start Synapse once \
      on it to finish the setup, or name an empty database.
      """)
  }

  static func older(_ database: Text, _ version: Int) -> SchemaError {
    SchemaError(
      """
      The database \(database) has schema version \(version), older than \(Schema.version). Start Synapse 1.163.2 once on it, \
      which brings it to version \(Schema.version), and try again.
      """)
  }

  static func incomplete(_ database: Text, _ found: SchemaComparison) -> SchemaError {
    let lacks = found.missingDeltas.map { "migration \($0)" } + found.missing
    return SchemaError(
      """
      The database \(database) says schema version \(Schema.version), but it lacks \(list(lacks)). Start Synapse 1.163.2 or later \
      once on it\(found.pendingUpdates.isEmpty ? "" : " until its background updates are finished"), and try again.
      """)
  }

  /// Joins the first of many things.
  fileprivate static func list(_ things: [Text]) -> Text {
    let first = things.prefix(5).joined(separator: ", ")
    return things.count > 5 ? "\(first) and \(things.count - 5) more" : first
  }

  static func newer(_ database: Text, _ version: Int) -> SchemaError {
    SchemaError(
      """
      The database \(database) has schema version \(version), newer than \(Schema.version), which is the only one this program \
      knows. Use a newer version of this program.
      """)
  }

  static func emptyForWorker(_ database: Text) -> SchemaError {
    SchemaError(
      "The database \(database) is empty. Start the main process first: it creates the tables, a worker never does.")
  }
}

extension SchemaComparison {
  /// A sentence about what makes the server slow, or data that Synapse has still to change; nil when there is nothing.
  var warning: Text? {
    var parts: [Text] = []
    if !slow.isEmpty { parts.append("the database lacks indexes and will be slow: \(SchemaError.list(slow))") }
    if !pendingUpdates.isEmpty {
      parts.append("Synapse has not finished its background updates: \(SchemaError.list(pendingUpdates))")
    }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}
