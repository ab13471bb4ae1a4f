import Synchronization

/// The promised response to a request that may have to wait for long.
///
/// The code that works on the request resolves it, from any task or none at all. So while nothing happens, a waiting request costs no more than
/// this object and the connection.
public final class DeferredResponse: Sendable {
  private struct State {
    var outcome: Result<Response, any Error>?
    var waiter: CheckedContinuation<Response, any Error>?
    var isCancelled = false
    var onCancel: (@Sendable () -> Void)?
    var hasBegun = false
    var beginning: Task<Void, Never>?
  }

  private let state = Mutex(State())

  init() {}

  /// Begins the work in a task of its own.
  func begin(_ work: @escaping @Sendable () async throws -> Void) {
    let task = Task {
      do { try await work() } catch { resolve(.failure(error)) }
      state.withLock { state in
        state.hasBegun = true
        state.beginning = nil
      }
    }
    let isCancelled = state.withLock { state in
      if !state.hasBegun { state.beginning = task }
      return state.isCancelled
    }
    if isCancelled { task.cancel() }
  }

  /// Answers the request; only the first call counts.
  public func resolve(_ outcome: Result<Response, any Error>) {
    let waiter = state.withLock { state -> CheckedContinuation<Response, any Error>? in
      guard state.outcome == nil else { return nil }
      state.outcome = outcome
      state.onCancel = nil
      return state.waiter.take()
    }
    waiter?.resume(with: outcome)
  }

  /// Sets what is to be done when nobody waits for the response any more; it is done at once if that is so already.
  /// What has not returned by then from beginning is cancelled anyway.
  public func onCancel(_ action: @escaping @Sendable () -> Void) {
    let isCancelled = state.withLock { state in
      if !state.isCancelled, state.outcome == nil { state.onCancel = action }
      return state.isCancelled
    }
    if isCancelled { action() }
  }

  /// Gives the request up: it is answered with `CancellationError`.
  func cancel() {
    let (action, beginning) = state.withLock { state in
      state.isCancelled = true
      return (state.onCancel.take(), state.beginning.take())
    }
    // First, so that the cancelled work does not report an error of its own.
    resolve(.failure(CancellationError()))
    beginning?.cancel()
    action?()
  }

  /// Waits for the response, or for ``cancel()``; to be called once.
  func value() async throws -> Response {
    try await withCheckedThrowingContinuation { continuation in
      let outcome = state.withLock { state in
        if state.outcome == nil { state.waiter = continuation }
        return state.outcome
      }
      if let outcome { continuation.resume(with: outcome) }
    }
  }
}
