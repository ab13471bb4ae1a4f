import EndpointKit
import Logging
import Replication
import ServiceLifecycle

/// A process put together: what runs, in the order of dependencies.
struct ProcessParts: Sendable {
  let context: ProcessContext
  let subsystems: [any Subsystem]
  let assembly: ListenerAssembly
  let deadlines: DeadlineWatch
  let readiness: StartReadiness

  /// What runs whether or not there are sockets.
  var loops: [any Service] {
    let (stores, hub) = (context.stores, context.hub)
    let always: [any Service] = [
      LoopService("unused cache entries") { await stores.caches.expireUnused() },
      LoopService("freed memory") { await FreedMemory.run() },
      LoopService("deadlines") { [deadlines] in await deadlines.run() },
      LoopService("replication") { try await hub.run() },
      LoopService("locks") { await stores.locks.run() },
    ]
    let goodbye = StopService { [subsystems] in
      for subsystem in subsystems.reversed() { await subsystem.finish() }
    }
    return always + subsystems.flatMap(\.services) + [goodbye]
  }

  /// Everything, listeners included.
  ///
  /// - Parameter prepare: waits for what must be known before the first request is answered.
  /// - Throws: `StartError` for listeners that cannot be.
  func services(
    _ logger: Logger, prepare: @escaping @Sendable (StreamHub) async -> Void
  ) throws -> [any Service] {
    let (hub, notifier) = (context.hub, ServiceNotifier())
    let listening = ListeningService(listeners: try assembly.listeners()) { await prepare(hub) }
    let stopping = StopService { [subsystems] in
      logger.info("Stopping")
      notifier.stopping()
      for subsystem in subsystems.reversed() { await subsystem.drain() }
    }
    let start = LoopService("start") { [readiness] in
      try await readiness.wait()
      notifier.ready()
      Daemon.reportReady()
      logger.info("Started")
      try await gracefulShutdown()
    }
    return loops + [listening, stopping, start]
  }
}
