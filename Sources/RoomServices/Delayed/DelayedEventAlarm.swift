import Replication
import Synchronization

/// What wakes the sending of delayed events: the time of the next one, and news of what may change it.
final class DelayedEventAlarm: Sendable {
  private struct State {
    var hasNews = false
    var hasPending = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// Whether events were pending when they were looked at last.
  var mayHavePending: Bool { state.withLock { $0.hasPending } }

  /// Takes note of whether events are pending: only then is news of state of interest.
  ///
  /// News that came since they were looked at may be of one that was not there yet.
  func note(hasPending: Bool) { state.withLock { $0.hasPending = hasPending || $0.hasNews } }

  /// Rings when the state of a room changes while events are pending.
  func follow(_ hub: StreamHub) {
    hub.subscribe(.events) { [weak self] batch in
      guard let self, self.mayHavePending else { return }
      for case .eventState in batch.rows {
        self.ring()
        return
      }
    }
  }

  /// Ends the wait.
  func ring() {
    let waiter = state.withLock { state in
      state.hasNews = true
      state.hasPending = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// Waits until it rings or the time is over.
  ///
  /// - Parameter milliseconds: the longest wait; nil without limit.
  func wait(milliseconds: Int64?) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.waitForNews() }
      if let milliseconds {
        // Cancelled: the wait is over all the same.
        group.addTask { try? await Task.sleep(for: .milliseconds(milliseconds)) }
      }
      await group.next()
      group.cancelAll()
    }
  }

  private func waitForNews() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.hasNews || Task.isCancelled {
            state.hasNews = false
            return true
          }
          state.waiter = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
      state.withLock { $0.hasNews = false }
    } onCancel: {
      let waiter = state.withLock { state in
        defer { state.waiter = nil }
        return state.waiter
      }
      waiter?.resume()
    }
  }
}
