import MatrixPrimitives
import Synchronization

/// The work on a request that waits for news: it looks, waits until something happens when there is none, and looks again.
///
/// All work is done in tasks that end; meanwhile a poll is an entry in the notifier.
final class LongPoll<Finding: Sendable>: Sendable {
  /// What was found at a look, and what had happened before.
  struct Look: Sendable {
    let mark: Notifier.Mark
    let finding: Finding
    let isNews: Bool
  }

  private struct State {
    var isCancelled = false
    var task: Task<Void, Never>?
    var wait: UInt64?
  }

  private let notifier: Notifier
  private let user: UserID
  private let deadline: ContinuousClock.Instant
  private let look: @Sendable () async throws -> Look
  private let end: @Sendable (Result<Finding, any Error>) -> Void
  private let state = Mutex(State())

  /// Begins to work.
  ///
  /// - Parameters:
  ///   - user: who is woken by news, as the notifier knows them.
  ///   - timeoutMilliseconds: for how long to wait; what the last look found ends the wait then.
  ///   - look: looks for news; the mark is from before.
  ///   - end: called once with the outcome; `CancellationError` after ``cancel()``.
  init(
    _ notifier: Notifier, user: UserID, timeoutMilliseconds: Int64, look: @escaping @Sendable () async throws -> Look,
    end: @escaping @Sendable (Result<Finding, any Error>) -> Void
  ) {
    self.notifier = notifier
    self.user = user
    self.look = look
    self.end = end
    deadline = .now + .milliseconds(timeoutMilliseconds)
    begin()
  }

  /// Gives the work up.
  func cancel() {
    let (task, wait) = state.withLock { state in
      state.isCancelled = true
      return (state.task.take(), state.wait.take())
    }
    task?.cancel()
    if let wait { notifier.cancel(wait) }
  }

  private func begin() {
    let isCancelled = state.withLock { state in
      guard !state.isCancelled else { return true }
      state.wait = nil
      state.task = Task { [self] in
        do {
          let found = try await look()
          if found.isNews { end(.success(found.finding)) } else { wait(found) }
        } catch { end(.failure(error)) }
      }
      return false
    }
    if isCancelled { end(.failure(CancellationError())) }
  }

  private func wait(_ found: Look) {
    // What wakes the poll may do so before the number of the wait is known; then there is a task again, or a later
    // wait.
    state.withLock { $0.task = nil }
    let wait = notifier.wait(user, after: found.mark, until: deadline) { [self] outcome in
      switch outcome {
      case .changed: begin()
      case .timedOut, .draining: end(.success(found.finding))
      case .cancelled: end(.failure(CancellationError()))
      }
    }
    let isCancelled = state.withLock { state in
      if state.task == nil, wait > state.wait ?? 0 { state.wait = wait }
      return state.isCancelled
    }
    if isCancelled { notifier.cancel(wait) }
  }
}
