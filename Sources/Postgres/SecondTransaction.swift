/// A transaction of its own on a second connection, whose statements run while those of another transaction are under
/// way.
struct SecondTransaction {
  let connection: Connection
  private let counters: Counters
  private let statements: Connection.Started
  private var ending: Connection.Started?

  /// Sends the statements, of which the first is BEGIN, without waiting for answers.
  init(_ sqls: [SQL], on connection: Connection, counters: Counters) {
    self.connection = connection
    self.counters = counters
    statements = connection.start(sqls)
    counters.countRoundTrip(statements: sqls.count)
  }

  /// Sends COMMIT after the statements, without waiting for them: the server rolls back instead if one of them fails.
  mutating func startCommit() {
    guard ending == nil else { return }
    ending = connection.start(["COMMIT"], isCommitting: true)
    counters.countRoundTrip(statements: 1)
  }

  /// Waits for the end of a transaction whose COMMIT was sent.
  ///
  /// - Returns: what went wrong, if anything, and whether the changes may be stored.
  func end() -> (error: PostgresError?, mayBeStored: Bool) {
    guard let ending else { return (PostgresError(code: .invalidParameter, message: "there is no COMMIT"), false) }
    let outcome = connection.outcome(of: statements)
    let end = connection.outcome(of: ending)
    if let error = outcome.error { return (error, outcome.isLost) }
    if let error = end.error { return (error, end.isLost) }
    guard end.rows.last?.handle.commandTag == "COMMIT" else {
      return (PostgresError(code: .server, message: "the transaction was rolled back by the server"), false)
    }
    return (nil, true)
  }

  /// Waits for the statements of a transaction whose COMMIT was not sent, and undoes them.
  func undo() {
    _ = connection.outcome(of: statements)
    guard connection.isOpen else { return }
    counters.countRoundTrip(statements: 1)
    _ = connection.run([SQL(stringLiteral: "ROLLBACK").uncached()])
  }
}
