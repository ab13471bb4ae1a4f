import MatrixPrimitives
import Synchronization

/// The sharing of one computation by equal requests; what it found is kept for a while for requests that are repeated.
///
/// A client that retries because its connection broke thus neither doubles the work nor loses its place. The computation is
/// cancelled when no request waits for it any more. What is kept is bounded in time and in bytes.
final class SharedAnswers<Key: Hashable & Sendable, Finding: Sendable>: Sendable {
  /// What a computation made.
  struct Answer: Sendable {
    let body: [UInt8]
    /// What is kept, to answer a later request from; nil for nothing.
    let kept: Finding?
    /// The memory that it takes, in bytes.
    let weight: Int
  }

  /// A closure that is told once what came of a request.
  typealias Completion = @Sendable (Result<[UInt8], any Error>) -> Void
  /// A closure that begins a computation, which calls `end` once; returns what cancels it.
  typealias Computation =
    @Sendable (_ end: @escaping @Sendable (Result<Answer, any Error>) -> Void) -> @Sendable () -> Void
  /// A closure that begins to answer from what was kept, calling back once; returns what cancels it.
  typealias Repetition = @Sendable (_ kept: Finding, _ completion: @escaping Completion) -> @Sendable () -> Void

  /// Work on a request. What it holds is touched only with the state's lock held, which makes `@unchecked Sendable` true.
  private final class Running: @unchecked Sendable {
    var waiters: [UInt64: Completion] = [:]
    var cancel: (@Sendable () -> Void)?
  }

  private struct Kept: Sendable {
    let finding: Finding
    let weight: Int
    let number: UInt64
  }

  private struct State: Sendable {
    var running: [Key: Running] = [:]
    var kept: [Key: Kept] = [:]
    var order: [(key: Key, number: UInt64, expires: Int64)] = []
    var bytes = 0
    var nextWaiter: UInt64 = 0
  }

  private let state = Mutex(State())
  private let clock: ServerClock
  private let lifetimeMilliseconds: Int64
  private let byteBudget: Int
  private let weigh: @Sendable (Key) -> Int

  /// - Parameter weigh: what a key takes beside its answer, in bytes; for keys that contain clients' texts.
  init(
    clock: ServerClock, lifetimeMilliseconds: Int64, byteBudget: Int = 32 << 20,
    weigh: @escaping @Sendable (Key) -> Int = { _ in 0 }
  ) {
    self.weigh = weigh
    self.clock = clock
    self.lifetimeMilliseconds = lifetimeMilliseconds
    self.byteBudget = byteBudget
  }

  /// Answers a request, computing the answer unless an equal request is being computed or was answered just now.
  ///
  /// - Parameters:
  ///   - key: what makes requests equal.
  ///   - completion: called once, possibly before this returns; `CancellationError` when the request is given up.
  ///   - again: answers from what an equal request found.
  ///   - compute: begins to compute.
  /// - Returns: what gives the request up. The last one who does takes the computation along.
  func answer(
    _ key: Key, then completion: @escaping Completion, again: Repetition, compute: Computation
  ) -> @Sendable () -> Void {
    switch join(key, completion) {
    case .kept(let kept): return again(kept, completion)
    case .joined(let running, let waiter): return { self.leave(running, key, waiter) }
    case .began(let running, let waiter):
      let cancel = compute { self.finish(running, key, $0) }
      let isLeft = state.withLock { _ in
        if !running.waiters.isEmpty { running.cancel = cancel }
        return running.waiters.isEmpty
      }
      if isLeft { cancel() }
      return { self.leave(running, key, waiter) }
    }
  }

  /// Answers a request and waits for it; see the other form.
  func answer(_ key: Key, again: Repetition, compute: Computation) async throws -> [UInt8] {
    let giveUp = Mutex<(@Sendable () -> Void)?>(nil)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let leave = answer(key, then: { continuation.resume(with: $0) }, again: again, compute: compute)
        giveUp.withLock { $0 = leave }
        if Task.isCancelled { leave() }
      }
    } onCancel: {
      giveUp.withLock { $0 }?()
    }
  }

  /// Forgets what was kept for equal requests.
  func forget(_ key: Key) {
    state.withLock { state in
      if let kept = state.kept.removeValue(forKey: key) { state.bytes -= kept.weight }
    }
  }

  private enum Joined {
    case kept(Finding)
    case joined(Running, UInt64)
    case began(Running, UInt64)
  }

  private func join(_ key: Key, _ completion: @escaping Completion) -> Joined {
    let now = clock.monotonicMilliseconds
    return state.withLock { state in
      Self.dropExpired(&state, now: now, budget: byteBudget)
      if let kept = state.kept[key] { return .kept(kept.finding) }
      state.nextWaiter &+= 1
      let known = state.running[key]
      let running = known ?? Running()
      running.waiters[state.nextWaiter] = completion
      state.running[key] = running
      return known == nil ? .began(running, state.nextWaiter) : .joined(running, state.nextWaiter)
    }
  }

  private func leave(_ running: Running, _ key: Key, _ waiter: UInt64) {
    let (completion, cancel) = state.withLock { state -> (Completion?, (@Sendable () -> Void)?) in
      guard let completion = running.waiters.removeValue(forKey: waiter) else { return (nil, nil) }
      guard running.waiters.isEmpty else { return (completion, nil) }
      if state.running[key] === running { state.running[key] = nil }
      return (completion, running.cancel.take())
    }
    completion?(.failure(CancellationError()))
    cancel?()
  }

  private func finish(_ running: Running, _ key: Key, _ outcome: Result<Answer, any Error>) {
    let expires = clock.monotonicMilliseconds + lifetimeMilliseconds
    let waiters = state.withLock { state in
      let waiters = running.waiters
      running.waiters = [:]
      running.cancel = nil
      guard state.running[key] === running else { return waiters }
      state.running[key] = nil
      guard case .success(let answer) = outcome, let finding = answer.kept, lifetimeMilliseconds > 0,
        state.kept[key] == nil
      else { return waiters }
      let weight = answer.weight + weigh(key)
      state.nextWaiter &+= 1
      state.kept[key] = Kept(finding: finding, weight: weight, number: state.nextWaiter)
      state.order.append((key, state.nextWaiter, expires))
      state.bytes += weight
      Self.dropExpired(&state, now: expires - lifetimeMilliseconds, budget: byteBudget)
      return waiters
    }
    for completion in waiters.values { completion(outcome.map(\.body)) }
  }

  private static func dropExpired(_ state: inout State, now: Int64, budget: Int) {
    var dropped = 0
    while dropped < state.order.count {
      let oldest = state.order[dropped]
      guard oldest.expires <= now || state.bytes > budget else { break }
      if let kept = state.kept[oldest.key], kept.number == oldest.number {
        state.kept[oldest.key] = nil
        state.bytes -= kept.weight
      }
      dropped += 1
    }
    if dropped > 0 { state.order.removeFirst(dropped) }
  }
}

extension SharedAnswers where Finding == [UInt8] {
  /// Answers a request and waits for it; later ones get the same body again.
  func answer(_ key: Key, compute: @escaping @Sendable () async throws -> [UInt8]) async throws -> [UInt8] {
    let again: Repetition = { kept, completion in
      completion(.success(kept))
      return {}
    }
    return try await answer(key, again: again) { end in
      let task = Task {
        do {
          let body = try await compute()
          end(.success(Answer(body: body, kept: body, weight: body.count)))
        } catch {
          end(.failure(error))
        }
      }
      return { task.cancel() }
    }
  }
}
