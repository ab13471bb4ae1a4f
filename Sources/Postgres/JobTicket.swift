import Glibc
import Synchronization
import Threads

/// One piece of work from the queue to its end, which can be cancelled or given up at any time.
final class JobTicket: Sendable {
  private enum Phase {
    case new
    /// In the queue; the closure ends the waiting with an error.
    case waiting(@Sendable (PostgresError) -> Void)
    case running(CancelHandle)
    case finished
  }

  private let phase = Mutex(Phase.new)
  private let cancelRequested = Atomic<Bool>(false)
  /// Held while a cancel request is on its way to the server, so that it cannot hit the work that comes next.
  private let interrupting = Mutex(())

  /// Whether somebody asked for cancellation.
  var isCancelled: Bool { cancelRequested.load(ordering: .acquiring) }

  /// Enters the queue. Returns false when the work was cancelled before.
  func arm(_ fail: @escaping @Sendable (PostgresError) -> Void) -> Bool {
    phase.withLock { phase in
      guard !isCancelled else {
        phase = .finished
        return false
      }
      phase = .waiting(fail)
      return true
    }
  }

  /// Leaves the queue with an error unless the work has begun.
  func giveUp(_ error: PostgresError) {
    let fail: (@Sendable (PostgresError) -> Void)? = phase.withLock { phase in
      guard case .waiting(let fail) = phase else { return nil }
      phase = .finished
      return fail
    }
    fail?(error)
  }

  /// Begins the work. Returns false when it was given up.
  func begin(_ handle: CancelHandle) -> Bool {
    phase.withLock { phase in
      guard case .waiting = phase else { return false }
      phase = .running(handle)
      return true
    }
  }

  /// Goes on with another connection.
  func move(to handle: CancelHandle) {
    phase.withLock { phase in
      if case .running = phase { phase = .running(handle) }
    }
  }

  /// Ends the work. After it returns, no cancel request for it is on its way any more.
  func finish() {
    phase.withLock { $0 = .finished }
    if isCancelled { interrupting.withLock { _ in } }
  }

  /// Cancels: work that waits ends at once, work that runs is interrupted on the server. Does not block.
  func cancel() {
    cancelRequested.store(true, ordering: .releasing)
    giveUp(PostgresError(code: .cancelled, message: "cancelled while waiting for a connection"))
    guard runningHandle() != nil else { return }
    BlockingThread.start("pg-cancel") { [self] in interruptUntilFinished() }
  }

  private func runningHandle() -> CancelHandle? {
    phase.withLock { phase in
      if case .running(let handle) = phase { handle } else { nil }
    }
  }

  /// Repeats the request, because the server ignores one that arrives between two statements.
  private func interruptUntilFinished() {
    var pause = Duration.milliseconds(20)
    while true {
      let isRunning = interrupting.withLock { _ in
        guard let handle = runningHandle() else { return false }
        handle.cancel()
        return true
      }
      guard isRunning else { return }
      BlockingThread.sleep(for: pause)
      pause = min(pause * 2, .seconds(1))
    }
  }
}
