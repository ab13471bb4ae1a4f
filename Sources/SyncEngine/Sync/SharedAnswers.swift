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

  private struct Running: Sendable {
    let id: UInt64
    let task: Task<Answer, any Error>
    var waiters: Int
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
    var nextID: UInt64 = 0
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
    let now = clock.nowMilliseconds
    let joined = state.withLock { state -> (kept: [UInt8]?, running: Running?) in
      Self.dropExpired(&state, now: now, budget: byteBudget)
      if let kept = state.kept[key] { return (kept.body, nil) }
      if var running = state.running[key] {
        running.waiters += 1
        state.running[key] = running
        return (nil, running)
      }
      state.nextID &+= 1
      let running = Running(id: state.nextID, task: Task { try await compute() }, waiters: 1)
      state.running[key] = running
      return (nil, running)
    }
    if let kept = joined.kept { return kept }
    guard let running = joined.running else { throw CancellationError() }
    return try await wait(for: running, key)
  }

  private func wait(for running: Running, _ key: Key) async throws -> [UInt8] {
    do {
      let answer = try await withTaskCancellationHandler {
        try await running.task.value
      } onCancel: {
        leave(running, key)
      }
      finish(running, key, answer)
      return answer.body
    } catch {
      finish(running, key, nil)
      throw error
    }
  }

  /// Takes one waiter away; the last one takes the computation along.
  private func leave(_ running: Running, _ key: Key) {
    let isLast = state.withLock { state in
      guard var current = state.running[key], current.id == running.id else { return false }
      current.waiters -= 1
      state.running[key] = current.waiters > 0 ? current : nil
      return current.waiters <= 0
    }
    if isLast { running.task.cancel() }
  }

  private func finish(_ running: Running, _ key: Key, _ answer: Answer?) {
    let expires = clock.nowMilliseconds + lifetimeMilliseconds
    state.withLock { state in
      guard state.running[key]?.id == running.id else { return }
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
