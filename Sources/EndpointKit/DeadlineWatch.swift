import Synchronization

/// The cancellation of work that outlasts its deadline, with one timer for all requests instead of one each.
///
/// Deadlines are checked once in `interval`, so work may run longer than its deadline by that much. `run()` must be running for
/// anything to be cancelled; while there is no work it sleeps.
public final class DeadlineWatch: Sendable {
  private struct Entry: Sendable {
    let deadline: ContinuousClock.Instant
    let expire: @Sendable () -> Void
  }

  private struct State {
    var next: UInt64 = 0
    var entries: [UInt64: Entry] = [:]
    /// Resumed by the next work that is registered.
    var sleeper: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())
  private let interval: Duration

  /// Makes a watch that checks once in `interval`.
  public init(interval: Duration = .milliseconds(500)) {
    self.interval = interval
  }

  /// Registers work.
  ///
  /// - Parameters:
  ///   - duration: from now.
  ///   - expire: called at most once, after the deadline, if `cancel(_:)` has not been called.
  /// - Returns: the number to pass to `cancel(_:)`.
  public func schedule(in duration: Duration, expire: @escaping @Sendable () -> Void) -> UInt64 {
    let entry = Entry(deadline: .now.advanced(by: duration), expire: expire)
    let (number, sleeper) = state.withLock { state in
      state.next += 1
      state.entries[state.next] = entry
      return (state.next, state.sleeper.take())
    }
    sleeper?.resume()
    return number
  }

  /// Forgets work that ended in time.
  public func cancel(_ number: UInt64) {
    state.withLock { _ = $0.entries.removeValue(forKey: number) }
  }

  /// Expires what is due.
  public func check(now: ContinuousClock.Instant = .now) {
    let due = state.withLock { state in
      let due = state.entries.filter { $0.value.deadline <= now }
      for number in due.keys { state.entries.removeValue(forKey: number) }
      return due.values
    }
    for entry in due { entry.expire() }
  }

  /// Checks until cancelled.
  public func run() async {
    while !Task.isCancelled {
      await sleepUntilScheduled()
      do { try await Task.sleep(for: interval) } catch { return }
      check()
    }
  }

  private func sleepUntilScheduled() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isAwake = state.withLock { state in
          guard state.entries.isEmpty, !Task.isCancelled else { return true }
          state.sleeper = continuation
          return false
        }
        if isAwake { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.sleeper.take() }?.resume()
    }
  }
}
