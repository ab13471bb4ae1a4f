import MatrixPrimitives
import Synchronization

/// Lets equal requests share one computation, and gives its answer again for a while to whoever repeats the request.
///
/// A client that retries because its connection broke thus neither doubles the work nor loses its place. The computation is
/// cancelled when nobody waits for it any more. Kept answers are bounded in time and in bytes.
final class SharedAnswers<Key: Hashable & Sendable>: Sendable {
  /// Holds what a computation made.
  struct Answer: Sendable {
    let body: [UInt8]
    /// Tells whether the answer may be given again to a later request.
    let isReusable: Bool
  }

  /// Work on a request. Its count is touched only with the state's lock held, which makes `@unchecked Sendable` true.
  private final class Running: @unchecked Sendable {
    let task: Task<Answer, any Error>
    var waiters = 1

    init(_ task: Task<Answer, any Error>) {
      self.task = task
    }
  }

  private struct Kept: Sendable {
    let body: [UInt8]
    let expires: Int64
  }

  private struct State: Sendable {
    var running: [Key: Running] = [:]
    var kept: [Key: Kept] = [:]
    var order: [(key: Key, expires: Int64)] = []
    var bytes = 0
  }

  private let state = Mutex(State())
  private let clock: ServerClock
  private let lifetimeMilliseconds: Int64
  private let byteBudget: Int

  init(clock: ServerClock, lifetimeMilliseconds: Int64, byteBudget: Int = 32 << 20) {
    self.clock = clock
    self.lifetimeMilliseconds = lifetimeMilliseconds
    self.byteBudget = byteBudget
  }

  /// Returns the answer to a request, computing it unless an equal request is being computed or was answered just now.
  func answer(_ key: Key, compute: @escaping @Sendable () async throws -> Answer) async throws -> [UInt8] {
    switch join(key, compute) {
    case .kept(let body): return body
    case .running(let work):
      do {
        let answer = try await withTaskCancellationHandler {
          try await work.task.value
        } onCancel: {
          leave(work, key)
        }
        finish(work, key, answer)
        return answer.body
      } catch {
        finish(work, key, nil)
        throw error
      }
    }
  }

  private enum Joined {
    case kept([UInt8])
    case running(Running)
  }

  /// Joins the work on a request or begins it.
  ///
  /// Not made part of the caller, which would hold what is needed here for a moment for as long as it waits.
  @inline(never)
  private func join(_ key: Key, _ compute: @escaping @Sendable () async throws -> Answer) -> Joined {
    let now = clock.nowMilliseconds
    return state.withLock { state in
      Self.dropExpired(&state, now: now, budget: byteBudget)
      if let kept = state.kept[key] { return .kept(kept.body) }
      if let running = state.running[key] {
        running.waiters += 1
        return .running(running)
      }
      let running = Running(Task { try await compute() })
      state.running[key] = running
      return .running(running)
    }
  }

  /// Takes one waiter away; the last one takes the computation along.
  private func leave(_ running: Running, _ key: Key) {
    let isLast = state.withLock { state in
      guard state.running[key] === running else { return false }
      running.waiters -= 1
      if running.waiters <= 0 { state.running[key] = nil }
      return running.waiters <= 0
    }
    if isLast { running.task.cancel() }
  }

  @inline(never)
  private func finish(_ running: Running, _ key: Key, _ answer: Answer?) {
    let expires = clock.nowMilliseconds + lifetimeMilliseconds
    state.withLock { state in
      guard state.running[key] === running else { return }
      state.running[key] = nil
      guard let answer, answer.isReusable, lifetimeMilliseconds > 0, state.kept[key] == nil else { return }
      state.kept[key] = Kept(body: answer.body, expires: expires)
      state.order.append((key, expires))
      state.bytes += answer.body.count
      Self.dropExpired(&state, now: expires - lifetimeMilliseconds, budget: byteBudget)
    }
  }

  private static func dropExpired(_ state: inout State, now: Int64, budget: Int) {
    var dropped = 0
    while dropped < state.order.count {
      let oldest = state.order[dropped]
      guard oldest.expires <= now || state.bytes > budget else { break }
      if let kept = state.kept.removeValue(forKey: oldest.key) { state.bytes -= kept.body.count }
      dropped += 1
    }
    if dropped > 0 { state.order.removeFirst(dropped) }
  }
}
