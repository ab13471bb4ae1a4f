import HummingbirdCore
import Logging
import NIOCore

/// The handling of each connection of a server on the event loop that its socket belongs to.
///
/// What takes long has to leave the loop: the router runs handlers elsewhere unless their endpoint says that they are brief.
struct ConnectionChannel<Base: ServerChildChannel>: ServerChildChannel where Base.Value == HTTP1Channel.Value {
  let base: Base
  let adapter: RequestAdapter

  /// The allocator of the buffers that requests are read into: one of the smallest size is kept for each connection.
  private static var readBuffers: any RecvByteBufferAllocator {
    AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 512, maximum: 65_536)
  }

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
    channel.setOption(.recvAllocator, value: Self.readBuffers).flatMap {
      base.setup(channel: channel, logger: logger)
    }
  }

  func handle(value: Base.Value, logger: Logger) async {
    // Without an entry it is closed already, which reading from it will show.
    let connection = adapter.connections.connection(value.channel) ?? Connection(value.channel)
    let http = HTTP1Channel { [adapter] request, writer, _ in
      try await adapter.respond(to: request, writer: writer, connection: connection)
    }
    await withTaskCancellationHandler {
      await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
        await http.handle(value: value, logger: logger)
      }
    } onCancel: {
      // What waits for a response is given up as if the client had hung up.
      connection.close()
    }
  }
}
