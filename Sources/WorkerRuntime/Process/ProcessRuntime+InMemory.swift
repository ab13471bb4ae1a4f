import EndpointKit
import Logging
import ServiceLifecycle

/// A process that answers in memory what it would answer on the sockets of its listeners.
package struct InMemoryServer: Sendable {
  /// The endpoints of the process.
  package let families: [EndpointFamily]
  /// The router of what comes to the first listener of the configuration.
  package let router: Router
}

extension ProcessRuntime {
  /// Runs the process as ``run()`` does, but without sockets, signals and log files, for as long as `body` runs.
  ///
  /// - Throws: what keeps the process from starting, and what `body` throws.
  package func runInMemory(_ body: @Sendable (InMemoryServer) async throws -> Void) async throws {
    let logger = Logger(label: "myelin.memory")
    try await withContext(logger) { context in
      let parts = try await assemble(context, logger)
      guard let listener = config.listeners.first else { throw StartError("there is no listener") }
      let server = InMemoryServer(families: parts.assembly.families, router: try parts.assembly.router(listener))
      let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: parts.loops, logger: logger))
      let running = Task { try await group.run() }
      await context.hub.waitUntilCaughtUp()
      let outcome: Result<Void, any Error>
      do { outcome = .success(try await body(server)) } catch { outcome = .failure(error) }
      for subsystem in parts.subsystems.reversed() { await subsystem.drain() }
      await group.triggerGracefulShutdown()
      try await running.value
      try outcome.get()
    }
  }
}
