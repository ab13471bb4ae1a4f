import Synchronization

/// The wait until all sockets of a process are open.
final class StartReadiness: Sendable {
  private struct State {
    var missing = 0
    var isCancelled = false
    var waiters: [CheckedContinuation<Void, Never>] = []

    /// Takes the waiters that need not wait any more.
    mutating func release() -> [CheckedContinuation<Void, Never>] {
      guard missing == 0 || isCancelled else { return [] }
      defer { waiters = [] }
      return waiters
    }
  }

  private let state = Mutex(State())

  /// Adds sockets to wait for; before the wait begins.
  func expect(_ count: Int) {
    state.withLock { $0.missing += count }
  }

  /// Notes that a socket is open, or not needed.
  func opened() {
    change { $0.missing -= 1 }
  }

  /// Returns when all sockets are open.
  ///
  /// - Throws: `CancellationError` when the process ends before that.
  func wait() async throws {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in change { $0.waiters.append(continuation) } }
    } onCancel: {
      change { $0.isCancelled = true }
    }
    try Task.checkCancellation()
  }

  private func change(_ body: (inout sending State) -> Void) {
    let released = state.withLock { state in
      body(&state)
      return state.release()
    }
    for waiter in released { waiter.resume() }
  }
}
