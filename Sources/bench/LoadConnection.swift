import NIOCore
import NIOPosix
import NIOSSL

/// A connection of the load generator: a socket, a response reader, nothing else.
struct LoadConnection: Sendable {
  private let channel: any Channel

  /// Connects without waiting; the future fails when the server does not take the connection.
  static func connect(_ target: Target, on loop: any EventLoop) -> EventLoopFuture<LoadConnection> {
    let bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(.seconds(10))
      .channelOption(.socketOption(.tcp_nodelay), value: target.unixSocket == nil ? 1 : 0)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if target.isTLS {
            let context = try NIOSSLContext(configuration: .makeClientConfiguration())
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: context, serverHostname: target.host))
          }
          try channel.pipeline.syncOperations.addHandler(LoadHandler())
        }
      }
    let connected =
      target.unixSocket.map { bootstrap.connect(unixDomainSocketPath: $0) }
      ?? bootstrap.connect(host: target.host, port: target.port)
    return connected.map { LoadConnection(channel: $0) }
  }

  /// Sends a request. The connection has to be without one.
  func perform(_ call: LoadCall) { channel.writeAndFlush(call, promise: nil) }

  /// Sends a request and gives the response, with the moment at which it was whole.
  func exchange(_ bytes: ByteBuffer) async throws -> (response: HTTPResponseReader.Response, at: NIODeadline) {
    try await withCheckedThrowingContinuation { continuation in
      perform(
        LoadCall(bytes, keepsBody: true) { outcome in
          switch outcome {
          case .answered(let response): continuation.resume(returning: (response, .now()))
          case .broken(let reason): continuation.resume(throwing: BenchError(reason))
          }
        })
    }
  }

  func close() { channel.close(promise: nil) }
}
