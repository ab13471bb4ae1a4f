import ByteText
import Postgres

/// The schema that all stores rely on: Synapse's version 94.
public enum Schema {
  /// The version of the schema, in the table `schema_version`.
  public static let version = 94
  /// The oldest version whose programs can still use such a database, in the table `schema_compat_version`.
  public static let compatibleVersion = 84

  /// The kind of process that asks; only the main process creates tables.
  public enum ServerRole: Sendable, Hashable {
    /// The main process, or the whole server in one process.
    case main
    /// Any worker.
    case worker
  }

  /// What was done.
  public enum Outcome: Sendable, Hashable {
    /// The database was empty and has all tables now.
    case created
    /// The database had the schema and was left as it was.
    case accepted
  }

  /// Held while a database is looked at and created, so that two processes which start together do not both create it.
  private static let advisoryLock: Int64 = 0x4D79_656C_696E

  /// Creates all tables in an empty database and accepts one with version 94 and all that belongs to it; anything else is refused and left
  /// untouched.
  ///
  /// - Parameters:
  ///   - client: Reaches the database; its user has to be allowed to create tables.
  ///   - serverRole: A worker refuses an empty database.
  ///   - allowsUnsafeLocale: Accepts an existing database whose collation is not `C` (Synapse's `allow_unsafe_locale`).
  ///   - warn: Receives a sentence about what does not keep an accepted database from being used.
  /// - Throws: `SchemaError` with a sentence for the administrator, or `PostgresError`.
  @discardableResult
  public static func prepare(
    _ client: PostgresClient, serverRole: ServerRole, allowsUnsafeLocale: Bool = false,
    warn: (Text) -> Void = { _ in }
  ) async throws -> Outcome {
    let description = try SchemaDescription.version94()
    let statements = description.statements
    // Read committed, so that what another process created while this one waited for the lock is seen.
    let (outcome, comparison) = try await client.transaction("prepare schema", isolation: .readCommitted) {
      txn -> (Outcome, SchemaComparison?) in
      try txn.execute("SELECT pg_advisory_xact_lock(\(advisoryLock)::bigint)")
      let found = try DatabaseInspection(txn)
      switch try found.judge(allowsUnsafeLocale: allowsUnsafeLocale) {
      case .accepted:
        let comparison = try SchemaComparison(description, txn)
        guard comparison.isUsable else { throw SchemaError.incomplete(found.name, comparison) }
        return (.accepted, comparison)
      case .created:
        guard serverRole == .main else { throw SchemaError.emptyForWorker(found.name) }
        _ = try txn.pipeline(statements)
        return (.created, nil)
      }
    }
    if let warning = comparison?.warning { warn(warning) }
    return outcome
  }
}

/// What matters about a database before anything is done to it.
private struct DatabaseInspection {
  let name: Text
  let serverVersion: Int
  let encoding: Text
  let collation: Text
  let characterType: Text
  let hasVersionTable: Bool
  /// The number of tables, views and sequences that belong to no extension.
  let relations: Int
  let version: Int?

  init(_ txn: Transaction) throws(PostgresError) {
    let rows = try txn.query(
      """
      SELECT d.datname::text, current_setting('server_version_num')::integer, pg_encoding_to_char(d.encoding)::text,
        d.datcollate::text, d.datctype::text, to_regclass('schema_version') IS NOT NULL,
        (SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE n.nspname = ANY(current_schemas(false)) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
          AND NOT EXISTS (SELECT 1 FROM pg_depend AS p
            WHERE p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.deptype = 'e'))
      FROM pg_database AS d WHERE d.datname = current_database()
      """)
    guard let row = rows.first else {
      throw PostgresError(code: .decoding, message: "the database is not in its own catalogue")
    }
    (name, serverVersion, encoding, collation, characterType, hasVersionTable, relations) = try row.decode(
      Text.self, Int.self, Text.self, Text.self, Text.self, Bool.self, Int.self)
    version =
      hasVersionTable ? try txn.query("SELECT version FROM schema_version").first?.get(0, as: Int.self) : nil
  }

  /// Decides what is to be done.
  func judge(allowsUnsafeLocale: Bool) throws(SchemaError) -> Schema.Outcome {
    guard serverVersion >= 140_000 else { throw .serverTooOld(serverVersion) }
    guard encoding == "UTF8" else { throw .wrongEncoding(name, encoding) }
    let isEmpty = relations == 0
    if collation != "C" || characterType != "C", isEmpty || !allowsUnsafeLocale {
      throw .wrongLocale(name, collation: collation, characterType: characterType)
    }
    guard !isEmpty else { return .created }
    guard hasVersionTable else { throw .foreign(name, relations) }
    guard let version else { throw .unfinished(name) }
    guard version >= Schema.version else { throw .older(name, version) }
    guard version <= Schema.version else { throw .newer(name, version) }
    return .accepted
  }
}
