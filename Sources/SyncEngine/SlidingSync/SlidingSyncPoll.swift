import MatrixPrimitives
import Stores
import Synchronization

/// The work on one request for a sliding sync: it looks for news, waits until something happens when there is none and the client wants to wait, and
/// looks again.
///
/// As with ``SyncPoll``, all work is done in tasks that end; a poll that waits is an entry in the notifier.
final class SlidingSyncPoll: Sendable {
  private struct State {
    var isCancelled = false
    var task: Task<Void, Never>?
    var wait: UInt64?
  }

  /// What was found at a look, and what had happened before.
  private final class Attempt: Sendable {
    let computation: SlidingComputation
    let finding: SlidingFinding
    let mark: Notifier.Mark

    init(_ computation: SlidingComputation, _ finding: SlidingFinding, after mark: Notifier.Mark) {
      self.computation = computation
      self.finding = finding
      self.mark = mark
    }
  }

  private let service: SlidingSyncService
  private let request: SlidingSyncRequest
  private let deadline: ContinuousClock.Instant
  private let end: @Sendable (Result<SlidingSyncAnswer, any Error>) -> Void
  private let state = Mutex(State())

  /// Begins to work.
  ///
  /// - Parameter end: called once with the outcome; `CancellationError` after ``cancel()``.
  init(
    _ service: SlidingSyncService, _ request: SlidingSyncRequest,
    end: @escaping @Sendable (Result<SlidingSyncAnswer, any Error>) -> Void
  ) {
    self.service = service
    self.request = request
    self.end = end
    deadline = .now + .milliseconds(request.timeoutMilliseconds)
    work { try await $0.begin() }
  }

  /// Gives the work up.
  func cancel() {
    let (task, wait) = state.withLock { state in
      state.isCancelled = true
      return (state.task.take(), state.wait.take())
    }
    task?.cancel()
    if let wait { service.sync.notifier.cancel(wait) }
  }

  private func work(_ body: @escaping @Sendable (SlidingSyncPoll) async throws -> Void) {
    let isCancelled = state.withLock { state in
      guard !state.isCancelled else { return true }
      state.wait = nil
      state.task = Task {
        do { try await body(self) } catch { end(.failure(error)) }
      }
      return false
    }
    if isCancelled { end(.failure(CancellationError())) }
  }

  private func begin() async throws {
    guard let computation = try await service.computation(request) else {
      return end(.success(try await service.answerWithoutRooms(request)))
    }
    try await look(computation)
  }

  private func look(_ computation: SlidingComputation) async throws {
    guard request.mayWait else { return try await finish(computation, try await computation.find()) }
    let mark = try await service.sync.mark(of: request.requester.userID)
    let finding = try await computation.find()
    guard finding.isEmpty else { return try await finish(computation, finding) }
    wait(Attempt(computation, finding, after: mark))
  }

  private func wait(_ attempt: Attempt) {
    // What wakes the poll may do so before the number of the wait is known; then there is a task again, or a later wait.
    state.withLock { $0.task = nil }
    let user = request.requester.userID
    let wait = service.sync.notifier.wait(user, after: attempt.mark, until: deadline) { [self] in woken($0, attempt) }
    let isCancelled = state.withLock { state in
      if state.task == nil, wait > state.wait ?? 0 { state.wait = wait }
      return state.isCancelled
    }
    if isCancelled { service.sync.notifier.cancel(wait) }
  }

  private func woken(_ outcome: Notifier.Outcome, _ attempt: Attempt) {
    switch outcome {
    case .changed: work { try await $0.look(attempt.computation) }
    case .timedOut, .draining: work { try await $0.finish(attempt.computation, attempt.finding) }
    case .cancelled: end(.failure(CancellationError()))
    }
  }

  private func finish(_ computation: SlidingComputation, _ finding: SlidingFinding) async throws {
    let writer = SlidingResponseWriter(service: service, request: request)
    end(.success(try await writer.answer(computation, finding)))
  }
}
