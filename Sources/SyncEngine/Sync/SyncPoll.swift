import Synchronization

/// The work on one `/sync`: it looks for news, waits until something happens when there is none and the client wants to
/// wait, and looks again.
///
/// All work is done in tasks that end. Clients wait for most of the time, and thousands do: meanwhile a poll is an entry in the notifier.
final class SyncPoll: Sendable {
  typealias Answer = SharedAnswers<SyncRequest.Key, SyncResult>.Answer

  /// What was found at a look, and what had happened before.
  private final class Attempt: Sendable {
    let computation: SyncComputation
    let result: SyncResult
    let mark: Notifier.Mark

    init(_ computation: SyncComputation, _ result: SyncResult, after mark: Notifier.Mark) {
      self.computation = computation
      self.result = result
      self.mark = mark
    }
  }

  private struct State {
    var isCancelled = false
    var task: Task<Void, Never>?
    var wait: UInt64?
  }

  private let service: SyncService
  private let request: SyncRequest
  private let deadline: ContinuousClock.Instant
  private let end: @Sendable (Result<Answer, any Error>) -> Void
  private let state = Mutex(State())

  /// Begins to work.
  ///
  /// - Parameter end: called once with the outcome; `CancellationError` after ``cancel()``.
  init(_ service: SyncService, _ request: SyncRequest, end: @escaping @Sendable (Result<Answer, any Error>) -> Void) {
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
    if let wait { service.notifier.cancel(wait) }
  }

  private func work(_ body: @escaping @Sendable (SyncPoll) async throws -> Void) {
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
    let (computation, isCaughtUp) = try await service.computation(request)
    guard isCaughtUp else { return try await finish(with: computation.emptyResult()) }
    guard request.mayWait else { return try await finish(with: computation.result()) }
    try await look(computation)
  }

  private func look(_ computation: SyncComputation) async throws {
    let mark = try await service.mark(of: computation.user)
    let result = try await computation.result()
    guard result.isEmpty else { return try await finish(with: result) }
    wait(Attempt(computation, result, after: mark))
  }

  private func wait(_ attempt: Attempt) {
    // What wakes the poll may do so before the number of the wait is known; then there is a task again, or a later wait.
    state.withLock { $0.task = nil }
    let wait = service.notifier.wait(attempt.computation.user, after: attempt.mark, until: deadline) { [self] in
      woken($0, attempt)
    }
    let isCancelled = state.withLock { state in
      if state.task == nil, wait > state.wait ?? 0 { state.wait = wait }
      return state.isCancelled
    }
    if isCancelled { service.notifier.cancel(wait) }
  }

  private func woken(_ outcome: Notifier.Outcome, _ attempt: Attempt) {
    switch outcome {
    case .changed: work { try await $0.look(attempt.computation) }
    case .timedOut, .draining: work { try await $0.finish(with: attempt.result) }
    case .cancelled: end(.failure(CancellationError()))
    }
  }

  private func finish(with result: SyncResult) async throws {
    let body = try await SyncResponseWriter(service: service, request: request).body(of: result)
    let hasNews = !result.isEmpty && result.nextBatch != request.since
    // A result is the events in decoded form, beside what the caches of events and states hold anyway.
    end(.success(Answer(body: body, kept: hasNews ? result : nil, weight: body.count * 3)))
  }
}
