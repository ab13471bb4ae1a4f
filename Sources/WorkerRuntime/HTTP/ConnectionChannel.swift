import HummingbirdCore
import Logging
import NIOCore

/// Handles each connection of a server on the event loop that its socket belongs to.
///
/// What takes long has to leave the loop: the router runs handlers elsewhere unless their endpoint says that they are brief.
struct ConnectionChannel<Base: ServerChildChannel>: ServerChildChannel where Base.Value == HTTP1Channel.Value {
  let base: Base
  let adapter: RequestAdapter

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
    base.setup(channel: channel, logger: logger)
  }

  func handle(value: Base.Value, logger: Logger) async {
    // Without an entry it is closed already, which reading from it will tell.
    let connection = adapter.connections.connection(value.channel) ?? Connection(value.channel)
    let http = HTTP1Channel { [adapter] request, writer, _ in
      try await adapter.respond(to: request, writer: writer, connection: connection)
    }
    await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) {
      await http.handle(value: value, logger: logger)
    }
  }
}

/// Runs the work of a task on the thread of an event loop.
///
/// A connection's task that runs where its socket is read and written hands nothing from thread to thread, which for small
/// requests costs more than the answer does.
private final class LoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) {
    self.loop = loop
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
