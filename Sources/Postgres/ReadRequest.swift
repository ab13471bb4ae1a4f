import Synchronization

/// One single statement from the caller to the reactor and back.
final class ReadRequest: Sendable {
  private enum State {
    case new
    case waiting(CheckedContinuation<PostgresRows, any Error>)
    case settled
  }

  let sql: SQL
  let deadline: ContinuousClock.Instant
  private let state = Mutex(State.new)

  init(sql: SQL, deadline: ContinuousClock.Instant) {
    self.sql = sql
    self.deadline = deadline
  }

  /// Whether the answer is no longer awaited.
  var isSettled: Bool {
    state.withLock { if case .settled = $0 { true } else { false } }
  }

  /// Whether the statement may be sent again although the server may have acted on it already.
  var isRepeatable: Bool {
    sql.text.utf8.drop { $0 == 32 || $0 == 10 }.prefix(6).elementsEqual("SELECT".utf8)
  }

  /// Begins to wait. Returns false when the request was cancelled before.
  func arm(_ continuation: CheckedContinuation<PostgresRows, any Error>) -> Bool {
    state.withLock { state in
      guard case .new = state else { return false }
      state = .waiting(continuation)
      return true
    }
  }

  /// Ends the waiting; only the first call counts. Returns whether it was this one.
  @discardableResult
  func settle(_ result: Result<PostgresRows, PostgresError>) -> Bool {
    let continuation: CheckedContinuation<PostgresRows, any Error>? = state.withLock { state in
      defer { state = .settled }
      if case .waiting(let continuation) = state { return continuation }
      return nil
    }
    continuation?.resume(with: result.mapError { $0 })
    return continuation != nil
  }
}
