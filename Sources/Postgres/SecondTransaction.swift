/// Runs statements in a transaction of its own, on a second connection, while those of another transaction are under way.
struct SecondTransaction {
  let connection: Connection
  private let started: Connection.Started
  private let counters: Counters

  /// Sends the statements, of which the first is BEGIN, without waiting for answers.
  init(_ sqls: [SQL], on connection: Connection, counters: Counters) {
    self.connection = connection
    self.counters = counters
    started = connection.start(sqls)
    counters.countRoundTrip(statements: sqls.count)
  }

  /// Waits until the statements are done, and returns what went wrong.
  func wait() -> PostgresError? { connection.outcome(of: started).error }

  /// Commits what was waited for and has gone well.
  ///
  /// - Returns: what went wrong, if anything, and whether the changes may be stored.
  func commit() -> (error: PostgresError?, mayBeStored: Bool) {
    counters.countRoundTrip(statements: 1)
    let end = connection.run(["COMMIT"], isCommitting: true)
    if let error = end.error { return (error, end.isLost) }
    guard end.rows.last?.handle.commandTag == "COMMIT" else {
      return (PostgresError(code: .server, message: "the transaction was rolled back by the server"), false)
    }
    return (nil, true)
  }

  /// Undoes what was waited for and is not committed.
  func undo() {
    guard connection.isOpen else { return }
    counters.countRoundTrip(statements: 1)
    _ = connection.run([SQL(stringLiteral: "ROLLBACK").uncached()])
  }
}
