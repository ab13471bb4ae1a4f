/// A common wake-up for all periodic work, so that a process with nothing to do wakes seldom.
public enum Beat {
  /// Processes that begin at different times beat at different times.
  private static let origin = ContinuousClock.now

  /// Waits until the process's next moment that divides by a period.
  ///
  /// - Parameter seconds: the period in seconds, from 1; the wait may be shorter, but is never nothing.
  /// - Throws: `CancellationError` when the task is cancelled.
  public static func wait(seconds: Int64) async throws {
    let period = max(seconds, 1)
    // A timer that fires a little early must not fire again at once.
    let (passed, _) = origin.duration(to: .now + .milliseconds(10)).components
    try await Task.sleep(until: origin + .seconds((passed / period + 1) * period))
  }
}
