import Synchronization

/// Waits until all sockets of a process are open.
final class StartReadiness: Sendable {
  private struct State {
    var missing = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  /// Adds sockets to wait for; before the wait begins.
  func expect(_ count: Int) {
    state.withLock { $0.missing += count }
  }

  /// Notes that a socket is open, or not needed.
  func opened() {
    let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      state.missing -= 1
      guard state.missing == 0 else { return [] }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Returns when all sockets are open.
  func wait() async {
    await withCheckedContinuation { continuation in
      let isReady = state.withLock { state in
        if state.missing > 0 { state.waiters.append(continuation) }
        return state.missing == 0
      }
      if isReady { continuation.resume() }
    }
  }
}
