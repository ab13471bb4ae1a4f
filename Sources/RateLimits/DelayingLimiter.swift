import MatrixPrimitives
import Synchronization

/// A limiter that delays actions that come too fast, and refuses them only when too many of one key wait already.
public final class DelayingLimiter: Sendable {
  private let limiter: RateLimiter
  private let delay: Duration
  private let mostWaiting: Int
  private let waiting = Mutex<[Text: Int]>([:])

  /// Makes a limiter.
  ///
  /// - Parameters:
  ///   - perSecond: how many actions a second go through without a delay for long.
  ///   - burst: how many may come at once without one.
  ///   - delay: how long others wait.
  ///   - mostWaiting: how many of one key wait at the same time.
  public init(perSecond: Double, burst: Int, delay: Duration, mostWaiting: Int, clock: ServerClock) {
    limiter = RateLimiter(perSecond: perSecond, burst: burst, clock: clock)
    self.delay = delay
    self.mostWaiting = mostWaiting
  }

  /// Returns when the action may be done.
  ///
  /// - Throws: `MatrixError` 429 `M_LIMIT_EXCEEDED`, and `CancellationError`.
  public func wait(_ key: Text) async throws {
    do {
      try limiter.check(key)
    } catch {
      guard enter(key) else { throw error }
      defer { leave(key) }
      try await Task.sleep(for: delay)
    }
  }

  private func enter(_ key: Text) -> Bool {
    waiting.withLock { waiting in
      let count = waiting[key] ?? 0
      guard count < mostWaiting else { return false }
      waiting[key] = count + 1
      return true
    }
  }

  private func leave(_ key: Text) {
    waiting.withLock { waiting in
      let count = (waiting[key] ?? 1) - 1
      waiting[key] = count > 0 ? count : nil
    }
  }
}
