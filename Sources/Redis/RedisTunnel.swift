import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A stand-in for a server that is reached by TLS: a local socket, whose bytes SwiftNIO carries to the server and back.
final class RedisTunnel: Sendable {
  /// The near end, for the code that talks to the server, which closes it; then the tunnel ends.
  let descriptor: Int32
  private let firstFailure: FirstFailure

  /// The reason why the tunnel has ended, where that is known; for instance that the certificate is not trusted.
  var failure: (any Error)? { firstFailure.error }

  private init(descriptor: Int32, firstFailure: FirstFailure) {
    self.descriptor = descriptor
    self.firstFailure = firstFailure
  }

  /// Connects to the server and starts TLS.
  ///
  /// - Parameters:
  ///   - configuration: where Redis is.
  ///   - tls: the TLS settings.
  static func open(_ configuration: RedisConfiguration, _ tls: TLSConfiguration) async throws -> RedisTunnel {
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let failure = FirstFailure()
    let far = try await RedisConnection.connect(configuration, tls, on: eventLoop) { channel in
      // Nothing is read before there is somebody to read it.
      channel.setOption(.autoRead, value: false).flatMapThrowing {
        try channel.pipeline.syncOperations.addHandler(TunnelEnd(failure))
        return channel
      }
    }
    do {
      let (near, other) = try pair()
      do {
        try await join(far, other, eventLoop, failure)
      } catch {
        close(near)
        throw error
      }
      return RedisTunnel(descriptor: near, firstFailure: failure)
    } catch {
      far.close(promise: nil)
      throw failure.error ?? error
    }
  }

  private static func pair() throws(RedisError) -> (Int32, Int32) {
    var ends: (Int32, Int32) = (-1, -1)
    let status = withUnsafeMutableBytes(of: &ends) { raw in
      socketpair(
        AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0,
        raw.baseAddress?.assumingMemoryBound(to: Int32.self))
    }
    guard status == 0 else { throw RedisError(.notConnected, "no pair of sockets: error \(errno)") }
    return ends
  }

  /// Makes a channel of the other end of the pair and connects it with the one to the server.
  private static func join(
    _ far: any Channel, _ descriptor: Int32, _ eventLoop: any EventLoop, _ failure: FirstFailure
  ) async throws {
    let near = try await ClientBootstrap(group: eventLoop)
      .channelOption(.autoRead, value: false)
      .withConnectedSocket(descriptor).get()
    do {
      try await eventLoop.submit {
        let end = TunnelEnd(failure)
        end.partner = far
        try far.pipeline.syncOperations.handler(type: TunnelEnd.self).partner = near
        try near.pipeline.syncOperations.addHandler(end)
      }.get()
    } catch {
      near.close(promise: nil)
      throw error
    }
    for channel in [near, far] {
      channel.setOption(.autoRead, value: true).whenFailure { _ in channel.close(promise: nil) }
    }
  }
}

/// The first error of a tunnel, the one that says why it ended.
private final class FirstFailure: Sendable {
  private let first = Mutex<(any Error)?>(nil)

  var error: (any Error)? { first.withLock { $0 } }

  func note(_ error: any Error) { first.withLock { $0 = $0 ?? error } }
}

/// One end of the tunnel, which passes on what its channel reads, no faster than the partner can send it.
private final class TunnelEnd: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  var partner: (any Channel)?
  private let failure: FirstFailure

  init(_ failure: FirstFailure) { self.failure = failure }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    partner?.write(unwrapInboundIn(data), promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { partner?.flush() }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    // A partner that is gone closes this channel as well.
    partner?.setOption(.autoRead, value: context.channel.isWritable).whenFailure { _ in }
  }

  func channelInactive(context: ChannelHandlerContext) {
    partner?.close(promise: nil)
    partner = nil
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    failure.note(error)
    context.close(promise: nil)
  }
}
