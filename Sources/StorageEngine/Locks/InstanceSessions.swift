import ByteText
import Logging
import Postgres

/// The database sessions of a process, marked with its name, and the wait at start for those of a predecessor.
///
/// PostgreSQL finishes what a killed process has sent: such a transaction may commit after the successor has started. Whoever
/// writes a stream takes the last id handed out as the own position, which a late commit would lie behind, unseen by all.
public struct InstanceSessions: Sendable {
  /// The space of advisory locks, which sets them apart from those of other programs.
  private static let space: Int32 = 0x4D59_454C

  private let instanceName: Text
  private let key: Int32

  /// Names the sessions of a process.
  ///
  /// - Parameter instanceName: the name of the process, `master` for the main one.
  public init(instanceName: Text) {
    self.instanceName = instanceName
    // FNV-1a: the same in every process. A name that collides with another's would only wait for that one, too.
    let hash = instanceName.utf8.reduce(UInt32(0x811C_9DC5)) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    key = Int32(hash & 0x7FFF_FFFF)
  }

  /// The statement with which each connection marks itself (``PostgresConfiguration/sessionStatement``).
  public var statement: Text { "SELECT pg_advisory_lock_shared(\(Self.space), \(key))" }

  /// Returns when no session of an earlier process of this name is left.
  ///
  /// Sessions that do not end by themselves within the patience are ended: what they had not committed was not answered to any client.
  /// - Parameters:
  ///   - configuration: how the database is reached.
  ///   - patience: how long sessions may take to end by themselves.
  ///   - logger: receives a line for each session that is ended.
  /// - Throws: ``InstanceSessionError`` when sessions come back, so that another process of this name must be running;
  ///   `PostgresError`.
  public func waitForPredecessor(
    _ configuration: PostgresConfiguration, patience: Duration = .seconds(2), logger: Logger
  ) async throws {
    var single = configuration
    single.sessionStatement = nil
    (single.minimumConnections, single.maximumConnections, single.sharedConnections) = (1, 1, 1)
    let database = PostgresClient(single, logger: logger)
    try await database.start()
    do {
      try await wait(database, patience, logger)
    } catch {
      await database.shutdown()
      throw error
    }
    await database.shutdown()
  }

  private func wait(_ database: PostgresClient, _ patience: Duration, _ logger: Logger) async throws {
    let end = ContinuousClock.now + patience
    var ended: Set<Int32> = []
    while true {
      let sessions = try await sessions(database)
      if sessions.isEmpty { return }
      if ContinuousClock.now >= end {
        guard ended.isEmpty || sessions.isSubset(of: ended) else { throw InstanceSessionError(instanceName) }
        for session in sessions.subtracting(ended) {
          logger.warning(
            "ending a database session of an earlier process of this name", metadata: ["pid": "\(session)"])
          try await database.run("SELECT pg_terminate_backend(\(session))")
        }
        ended = sessions
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private func sessions(_ database: PostgresClient) async throws -> Set<Int32> {
    let rows = try await database.run(
      """
      SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
      WHERE d.datname = current_database() AND l.locktype = 'advisory'
        AND l.classid::bigint = \(Int64(Self.space)) AND l.objid::bigint = \(Int64(key)) AND l.objsubid = 2
      """)
    return Set(try rows.map { try $0.get(0, as: Int32.self) })
  }
}

/// The error that a process cannot start because another one of its name is running.
public struct InstanceSessionError: Error, Sendable, CustomStringConvertible {
  /// A sentence for the administrator.
  public let description: String

  init(_ instanceName: Text) {
    description =
      "another process named \(instanceName) is using this database; stop it first, since two would write the same streams"
  }
}
