import Logging
import NIOCore
import Synchronization

/// The commands on the way to their handlers, one after the other; the newest are dropped when the handlers do not keep
/// up.
final class CommandLane: Sendable {
  private enum Item {
    case command(ReplicationCommand)
    case barrier(CheckedContinuation<Void, Never>)
  }

  private struct State {
    var handlers: [StreamHub.CommandHandler] = []
    var queue = CircularBuffer<Item>()
    var isDraining = false
    var dropped = 0
  }

  private let limit: Int
  private let logger: Logger
  private let executor: (any TaskExecutor)?
  private let state = Mutex(State())

  /// Makes a lane.
  ///
  /// - Parameter executor: runs the work on the thread that commands arrive on; nil for any.
  init(limit: Int, logger: Logger, executor: (any TaskExecutor)?) {
    self.limit = limit
    self.logger = logger
    self.executor = executor
  }

  func subscribe(_ handler: @escaping StreamHub.CommandHandler) {
    state.withLock { $0.handlers.append(handler) }
  }

  func enqueue(_ command: ReplicationCommand) { enqueue(.command(command)) }

  func waitUntilIdle() async {
    await withCheckedContinuation { enqueue(.barrier($0)) }
  }

  private func enqueue(_ item: Item) {
    let mustStart = state.withLock { state in
      if case .command = item, state.handlers.isEmpty || state.queue.count >= limit {
        state.dropped += state.handlers.isEmpty ? 0 : 1
        return false
      }
      state.queue.append(item)
      if state.isDraining { return false }
      state.isDraining = true
      return true
    }
    if mustStart { Task(executorPreference: executor) { await self.drain() } }
  }

  private func drain() async {
    while true {
      let (item, handlers, dropped) = state.withLock { state in
        let item = state.queue.popFirst()
        state.isDraining = item != nil
        defer { state.dropped = 0 }
        return (item, state.handlers, state.dropped)
      }
      if dropped > 0 { logger.warning("commands were dropped", metadata: ["count": "\(dropped)"]) }
      switch item {
      case .command(let command): for handler in handlers { await handler(command) }
      case .barrier(let continuation): continuation.resume()
      case nil: return
      }
    }
  }
}
