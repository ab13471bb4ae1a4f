import ByteText

/// The address of a database, and how much to ask of it.
public struct PostgresConfiguration: Sendable {
  /// libpq's connection keywords (`host`, `port`, `dbname`, `user`, `password`, `sslmode`, …), passed on as they are.
  ///
  /// `host` may be the folder of a unix socket. `database` is accepted for `dbname`, as psycopg does.
  public var conninfo: [Text: Text]
  /// The number of connections for transactions that are kept open even when idle.
  public var minimumConnections: Int
  /// The number of connections for transactions at most, from 1.
  public var maximumConnections: Int
  /// The number of connections that all single statements share, from 1.
  public var sharedConnections = 2
  /// The longest time that work waits for a connection before it fails with `poolTimeout`.
  public var waitTimeout: Duration = .seconds(30)
  /// The number of transactions, and of single statements, that may wait at the same time.
  public var maximumWaiting = 20_000
  /// The longest time that one statement may run on the server; `nil` leaves the server's own setting.
  public var statementTimeout: Duration?
  /// A statement that every connection runs when it is opened; `nil` for none.
  public var sessionStatement: Text?
  /// The time after which an idle connection above the minimum is closed.
  public var idleTimeout: Duration = .seconds(60)
  /// The greatest number of attempts at a transaction when others collide with it or its connection breaks.
  public var maximumAttempts = 12
  /// The number of prepared statements that are kept on one connection.
  public var preparedStatementLimit = 500
  /// The single statements that may be under way on one shared connection at the same time.
  public var pipelineDepth = 32

  /// Makes a configuration.
  ///
  /// - Parameters:
  ///   - conninfo: libpq's connection keywords.
  ///   - minimumConnections: Connections kept open for transactions; not more than `maximumConnections`.
  ///   - maximumConnections: Connections for transactions at most; values below 1 count as 1.
  public init(conninfo: [Text: Text], minimumConnections: Int = 1, maximumConnections: Int = 10) {
    self.conninfo = conninfo
    self.maximumConnections = max(1, maximumConnections)
    self.minimumConnections = min(max(0, minimumConnections), self.maximumConnections)
  }

  /// The keywords that a connection is made with.
  var keywords: [Text: Text] {
    var keywords = conninfo
    if let name = keywords.removeValue(forKey: "database"), keywords["dbname"] == nil { keywords["dbname"] = name }
    keywords["client_encoding"] = "UTF8"
    if keywords["connect_timeout"] == nil { keywords["connect_timeout"] = "10" }
    if keywords["fallback_application_name"] == nil { keywords["fallback_application_name"] = "myelin" }
    return keywords
  }
}
