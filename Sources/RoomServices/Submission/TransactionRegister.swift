import MatrixEvents
import MatrixPrimitives
import Stores
import Synchronization

/// The register by which repeated requests with one transaction id and path get one result: concurrent ones share the
/// work, later ones find the result for as long as it is remembered.
final class TransactionRegister<Result: Sendable>: Sendable {
  /// A client's transaction.
  struct Key: Hashable, Sendable {
    let userID: UserID
    /// The device, or what else stands for the session when there is none.
    let session: Text
    let roomID: RoomID
    let transactionID: Text
    /// The operation; the same id on another path is another request.
    let path: TransactionPath
  }

  private enum Found {
    case done(Result)
    case running(Task<Result, any Error>)
  }

  private struct State {
    var running: [Key: Task<Result, any Error>] = [:]
    var finished: [Key: Result] = [:]
    var order: [Key] = []
    var oldest = 0
  }

  /// The limit on remembered results.
  private let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int = 8192) {
    self.capacity = capacity
  }

  /// Runs `body` once for a key and gives its result to all who ask; a failure is not remembered.
  func run(_ key: Key, _ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    let found: Found = state.withLock { state in
      if let result = state.finished[key] { return .done(result) }
      if let task = state.running[key] { return .running(task) }
      let task = Task {
        do {
          let result = try await body()
          self.finish(key, result)
          return result
        } catch {
          self.finish(key, nil)
          throw error
        }
      }
      state.running[key] = task
      return .running(task)
    }
    switch found {
    case .done(let result): return result
    case .running(let task): return try await task.value
    }
  }

  private func finish(_ key: Key, _ result: Result?) {
    state.withLock { state in
      state.running[key] = nil
      guard let result else { return }
      state.finished[key] = result
      if state.order.count < capacity {
        state.order.append(key)
      } else {
        state.finished[state.order[state.oldest]] = nil
        state.order[state.oldest] = key
        state.oldest = (state.oldest + 1) % capacity
      }
    }
  }
}
