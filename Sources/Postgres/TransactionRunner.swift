import Glibc
import Logging
import Threads

/// The execution of a transaction's closure on a worker thread, repeated after collisions and lost connections.
struct TransactionRunner<R: Sendable>: Sendable {
  let name: StaticString
  let isolation: IsolationLevel
  let isReadOnly: Bool
  /// Called when others can see the changes; see ``PostgresClient/transaction(_:isolation:readOnly:whenVisible:_:)``.
  let whenVisible: (@Sendable () -> Void)?
  let body: @Sendable (Transaction) throws -> R

  private enum End {
    case success(R)
    case failure(any Error)
    case again(PostgresError, any Error)
  }

  /// Runs the closure until it is committed, fails for good or has been tried often enough.
  func run(on session: WorkerSession, ticket: JobTicket) -> Result<R, any Error> {
    var attempt = 1
    while true {
      let connection: Connection
      do throws(PostgresError) {
        connection = try session.ready(
          until: .now + session.configuration.waitTimeout, isCancelled: { ticket.isCancelled })
      } catch {
        return .failure(error)
      }
      ticket.move(to: connection.cancelHandle)
      switch attemptOnce(connection, session, ticket, isRepeated: attempt > 1) {
      case .success(let value): return .success(value)
      case .failure(let error): return .failure(error)
      case .again(let cause, let error):
        guard attempt < session.configuration.maximumAttempts, !ticket.isCancelled else { return .failure(error) }
        session.counters.retries.wrappingAdd(1, ordering: .relaxed)
        session.logger.debug(
          "transaction is run again",
          metadata: ["transaction": "\(name)", "attempt": "\(attempt)", "error": "\(cause)"])
        if cause.isConflict { pause(after: attempt) }
        attempt += 1
      }
    }
  }

  private func attemptOnce(
    _ connection: Connection, _ session: WorkerSession, _ ticket: JobTicket, isRepeated: Bool
  ) -> End {
    let transaction = Transaction(
      connection: connection, isolation: isolation, isReadOnly: isReadOnly, isRepeated: isRepeated, ticket: ticket,
      session: session)
    do {
      let value = try body(transaction)
      if let whenVisible {
        try transaction.commit {
          transaction.runHooks()
          whenVisible()
        }
      } else {
        try transaction.commit()
      }
      if transaction.hasLostConnection { session.discard() }
      session.counters.transactions.wrappingAdd(1, ordering: .relaxed)
      transaction.runHooks()
      return .success(value)
    } catch {
      let failure = transaction.failure
      transaction.runOrphanHooks()
      if failure?.code == .commitOutcomeUnknown { transaction.runHooks() }
      if !transaction.rollBack() { session.discard() }
      guard let failure,
        failure.isConflict || failure.isStaleStatement || failure.code == .connectionLost
          || transaction.hasWaitedTooLong
      else { return .failure(failure?.refusal ?? error) }
      return .again(failure, error)
    }
  }

  /// Lets colliding transactions drift apart: up to 2, 4, 8 … 64 ms.
  private func pause(after attempt: Int) {
    BlockingThread.sleep(for: .microseconds(Int64.random(in: 0...1000 << Int64(min(attempt, 6)))))
  }
}
