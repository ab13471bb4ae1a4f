import ByteText
import YAML

/// The settings of PostgreSQL.
public struct DatabaseSettings: Sendable, Hashable {
  /// Keywords of libpq's connections (`host`, `user`, `dbname`, `sslmode`, …).
  public var arguments: [Text: Text]
  /// The number of connections that are opened at start.
  public var minimumConnections: Int
  /// The limit on connections for transactions.
  public var maximumConnections: Int
  /// The number of transactions after which a connection is renewed; 0 means never.
  public var transactionLimit: Int
  /// Whether a database is accepted whose collation is not C.
  public var allowsUnsafeLocale: Bool

  /// Makes settings by hand, with the standard pool of 5 connections.
  public init(arguments: [Text: Text], minimumConnections: Int = 5, maximumConnections: Int = 10) {
    self.arguments = arguments
    self.minimumConnections = minimumConnections
    self.maximumConnections = maximumConnections
    transactionLimit = 0
    allowsUnsafeLocale = false
  }

  init(root: SettingsSection) throws(ConfigError) {
    let section = try Self.section(root)
    guard let name = section.node("name") else {
      throw section.fail("name", "is missing, expected psycopg2 (\(Self.whyPostgreSQL))")
    }
    guard name.string == "psycopg2" else {
      throw section.fail("name", name, expected: "psycopg2 (\(Self.whyPostgreSQL))")
    }
    transactionLimit = try section.integer("txn_limit", 0)
    allowsUnsafeLocale = try section.bool("allow_unsafe_locale", false)
    let args = try section.section("args")
    // Synapse leaves these to the pool of Twisted: 3 and 5.
    minimumConnections = try args.integer("cp_min", 3)
    maximumConnections = try args.integer("cp_max", 5, in: 1...10_000)
    args.accept("cp_reconnect", "cp_noisy", "cp_openfun", "cp_good_sql", "cp_name")
    arguments = [:]
    for (key, value) in try section.entries("args") where !key.hasPrefix("cp_") && !value.isNull {
      args.accept(key)
      guard let text = Self.keywordValue(value) else { throw args.fail(key, value, expected: "text") }
      arguments[key == "database" ? "dbname" : key] = text
    }
  }

  /// Returns a value as libpq takes it; nil for lists and mappings.
  ///
  /// Not inlined, since the optimiser of Swift 6.3.1 fails on the loop with this in it.
  @inline(never)
  private static func keywordValue(_ node: YAMLNode) -> Text? {
    if let flag = node.bool { return flag ? "1" : "0" }
    return node.text
  }

  private static let whyPostgreSQL =
    "only PostgreSQL is supported: SQLite has a single writer and cannot be shared between processes; "
    + "synapse_port_db moves an existing database over"

  private static func section(_ root: SettingsSection) throws(ConfigError) -> SettingsSection {
    let several = try root.namedSections("databases")
    guard !several.isEmpty else {
      guard root.has("database") else { throw root.fail("database", "is missing, expected PostgreSQL's settings") }
      return try root.section("database")
    }
    guard !root.has("database") else {
      throw root.fail("databases", "database is set as well, expected only one of the two")
    }
    guard several.count == 1, let only = several.first?.section else {
      throw root.fail("databases", "found \(several.count) databases, expected one that holds all stores")
    }
    let stores = try only.strings("data_stores")
    guard stores.isEmpty || Set(stores) == ["main", "state"] else {
      throw only.fail("data_stores", "found \(stores.joined(separator: ", ")), expected main and state")
    }
    return only
  }
}
