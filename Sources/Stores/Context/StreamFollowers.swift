import MatrixPrimitives
import Replication
import Synchronization

/// The handlers by which stores keep what they remember current by the rows of streams, in the order of registration.
final class StreamFollowers: Sendable {
  /// A closure that handles batches that were committed together. Serial per stream.
  typealias Handler = @Sendable ([StreamBatch]) -> Void

  private let handlers = Mutex<[StreamName: [Handler]]>([:])

  /// Adds a handler.
  ///
  /// - Returns: whether it is the first one of the stream.
  func add(_ stream: StreamName, _ handler: @escaping Handler) -> Bool {
    handlers.withLock { handlers in
      handlers[stream, default: []].append(handler)
      return handlers[stream]?.count == 1
    }
  }

  /// Calls all handlers of a stream.
  func apply(_ batches: [StreamBatch], of stream: StreamName) {
    for handler in handlers.withLock({ $0[stream] ?? [] }) { handler(batches) }
  }
}
