import CLibPQ

/// A handle that asks the server to stop what a connection is doing. Usable from any thread.
final class CancelHandle: @unchecked Sendable {
  private let raw: OpaquePointer

  init?(_ connection: OpaquePointer) {
    guard let raw = PQgetCancel(connection) else { return nil }
    self.raw = raw
  }

  deinit {
    PQfreeCancel(raw)
  }

  /// Sends the request and waits until the server has passed it on. Blocks: call it on a thread of its own.
  func cancel() {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
      // A request that cannot be delivered leaves the statement to end by itself.
      _ = PQcancel(raw, message.baseAddress, Int32(message.count))
    }
  }
}
