import ServiceLifecycle

/// A service that ends by graceful shutdown, of a loop that ends by cancellation.
package struct LoopService: Service {
  /// The loop's name in logs.
  package let name: String
  private let body: @Sendable () async throws -> Void

  /// Wraps a loop.
  ///
  /// - Parameters:
  ///   - name: for logs.
  ///   - body: returns or throws `CancellationError` when its task is cancelled; may return earlier when it has nothing to do.
  package init(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
    self.name = name
    self.body = body
  }

  /// Runs the loop until the process stops.
  package func run() async throws {
    let body = body
    do {
      try await cancelWhenGracefulShutdown { try await body() }
      // A service that returns ends the process, and having nothing to do is no reason for that.
      try await gracefulShutdown()
    } catch is CancellationError {
      return
    }
  }
}

/// A service that does something when the process stops, at its place in the order of stopping.
struct StopService: Service {
  let action: @Sendable () async -> Void

  func run() async throws {
    // Either way of ending leads to the action: shutdown is asked for, or another service has failed.
    try? await gracefulShutdown()
    await action()
  }
}
