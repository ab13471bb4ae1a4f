import Synchronization

/// Tasks that wait until a condition holds, checked anew whenever something moved.
final class PositionWaiters: Sendable {
  private struct Waiter {
    let isMet: @Sendable () -> Bool
    let continuation: CheckedContinuation<Bool, Never>
  }

  private struct State {
    var next: UInt64 = 0
    var waiters: [UInt64: Waiter] = [:]
  }

  private let state = Mutex(State())

  /// Waits for the condition.
  /// - Parameters:
  ///   - timeout: longest wait; nil waits until the task is cancelled.
  ///   - isMet: the condition; called often, must not call this object.
  /// - Returns: whether the condition held before the time was up.
  func wait(timeout: Duration?, until isMet: @escaping @Sendable () -> Bool) async -> Bool {
    if isMet() { return true }
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    let timer = timeout.map { timeout in
      Task { [weak self] in
        guard (try? await Task.sleep(for: timeout)) != nil else { return }  // cancelled: no longer needed
        self?.finish(id, false)
      }
    }
    defer { timer?.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        state.withLock { $0.waiters[id] = Waiter(isMet: isMet, continuation: continuation) }
        // The condition may have come true, or the task been cancelled, before the waiter was in the list.
        if isMet() { finish(id, true) } else if Task.isCancelled { finish(id, false) }
      }
    } onCancel: {
      finish(id, false)
    }
  }

  /// Wakes every waiter whose condition holds now.
  func check() {
    let waiting = state.withLock { $0.waiters.isEmpty ? [] : Array($0.waiters) }
    for (id, waiter) in waiting where waiter.isMet() { finish(id, true) }
  }

  private func finish(_ id: UInt64, _ result: Bool) {
    state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume(returning: result)
  }
}
