import ServiceLifecycle

/// A service that opens all sockets of a process once it may answer, and closes them together.
struct ListeningService: Service {
  let listeners: [HTTPListener]
  let untilReady: @Sendable () async -> Void

  func run() async throws {
    await untilReady()
    guard !listeners.isEmpty else {
      // A process without sockets, such as one for background work, waits for its end here.
      try? await gracefulShutdown()
      return
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for listener in listeners { group.addTask { try await listener.run() } }
      // Not waitForAll(), which reports a failure only when all have ended.
      for try await _ in group {}
    }
  }
}
