import Glibc

/// One shared connection and what is under way on it. Touched by the reactor thread only.
struct SharedConnection {
  /// A statement that was sent and not yet answered.
  struct InFlight {
    var batch: PendingBatch
    /// The waiting request; nil for statements of the connection's own housekeeping.
    let request: ReadRequest?
    let attempt: Int
    var isInterrupted = false
  }

  /// What became of a statement.
  enum Ending {
    case done(ReadRequest, Result<PostgresRows, PostgresError>)
    case again(ReadRequest, attempt: Int)
  }

  static let maximumAttempts = 3

  var connection: Connection?
  var isConnecting = false
  var wantsOutput = false
  private(set) var inFlight = FIFO<InFlight>()
  /// Cancel requests that may still hit a statement for which they were not meant.
  private var strayCancels = 0

  /// Sends one statement as a batch of its own.
  mutating func send(_ request: ReadRequest, attempt: Int) -> PostgresError? {
    guard let connection else { return PostgresError(code: .connectionLost, message: "no connection") }
    var batch = PendingBatch()
    do throws(PostgresError) {
      try connection.send(request.sql, into: &batch)
    } catch {
      guard error.code != .connectionLost, !batch.steps.isEmpty else { return error }
      // The preparation is under way already, so its answers have to be waited for.
      batch.fail(error)
    }
    guard connection.sync() else { return connection.lossError }
    inFlight.append(InFlight(batch: batch, request: request, attempt: attempt))
    tidyUp(connection)
    return nil
  }

  private mutating func tidyUp(_ connection: Connection) {
    guard connection.hasDeallocations else { return }
    var batch = PendingBatch()
    connection.sendDeallocations(into: &batch)
    if connection.sync() { inFlight.append(InFlight(batch: batch, request: nil, attempt: 1)) }
  }

  /// Takes the answers that have arrived. Returns false when the connection is lost.
  mutating func receive(_ report: (Ending) -> Void) -> Bool {
    guard let connection else { return true }
    let isReadable = connection.consumeInput()
    while inFlight.updateFirst({ connection.advance(&$0.batch) }) == true {
      guard let ended = inFlight.popFirst() else { break }
      if let ending = ending(of: ended, connection) { report(ending) }
    }
    return isReadable && connection.isOpen
  }

  private mutating func ending(of ended: InFlight, _ connection: Connection) -> Ending? {
    guard let request = ended.request else { return nil }
    guard let error = ended.batch.error else {
      guard let rows = ended.batch.rows.first else {
        return .done(request, .failure(PostgresError(code: .connectionLost, message: "no answer")))
      }
      return .done(request, .success(rows))
    }
    var mayRepeat = error.isConflict
    if error.isStaleStatement {
      connection.forgetStatements()
      mayRepeat = true
    }
    if error.sqlState == "57014", strayCancels > 0 {
      strayCancels -= 1
      mayRepeat = true
    }
    if mayRepeat, ended.attempt < Self.maximumAttempts, !request.isSettled {
      return .again(request, attempt: ended.attempt + 1)
    }
    return .done(request, .failure(error))
  }

  /// Returns the handle with which to stop the statement that runs at this moment, if it is no longer awaited.
  mutating func handleForAbandonedStatement() -> CancelHandle? {
    guard let connection else { return nil }
    let isAbandoned =
      inFlight.updateFirst { first in
        guard !first.isInterrupted, first.request?.isSettled == true else { return false }
        first.isInterrupted = true
        return true
      } ?? false
    guard isAbandoned else { return nil }
    strayCancels += 1
    return connection.cancelHandle
  }

  /// Gives up the connection and returns what was under way on it.
  mutating func lose() -> (error: PostgresError, inFlight: [InFlight]) {
    let error = connection?.lossError ?? PostgresError(code: .connectionLost, message: "no connection")
    connection = nil
    wantsOutput = false
    strayCancels = 0
    return (error, inFlight.takeAll())
  }
}
