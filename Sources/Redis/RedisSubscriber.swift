import Logging
import NIOCore
import NIOPosix

/// Follows channels of Redis, over a connection that is opened anew whenever it breaks.
public final class RedisSubscriber: Sendable {
  /// Reports what happens, in order.
  public enum Event: Sendable, Equatable {
    /// The server acknowledged all channels: from here on nothing is missed. What happened while there was no
    /// connection is lost, so the reader must compare its state with the writers'.
    case subscribed
    /// A message came.
    case message(channel: String, payload: [UInt8])
    /// The connection is gone.
    case disconnected(reason: String)
  }

  private let configuration: RedisConfiguration
  private let channels: [String]
  private let eventLoop: any EventLoop
  private let logger: Logger

  /// Makes a subscriber; `run` connects it.
  /// - Parameters:
  ///   - configuration: where Redis is.
  ///   - channels: channels to follow, at least one.
  ///   - eventLoop: loop on which events are reported.
  ///   - logger: receives failed attempts.
  public init(
    configuration: RedisConfiguration, channels: [String],
    eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(), logger: Logger
  ) {
    self.configuration = configuration
    self.channels = channels
    self.eventLoop = eventLoop
    self.logger = logger
  }

  /// Keeps the subscription until the task is cancelled.
  /// - Parameter receive: takes events on the event loop; must not block.
  public func run(_ receive: @escaping @Sendable (Event) -> Void) async {
    var backoff = RedisBackoff()
    while !Task.isCancelled {
      let reason: any Error
      do {
        let connection = try await RedisConnection.open(configuration, on: eventLoop, selectsDatabase: false)
        let started = ContinuousClock.now
        try await subscribe(connection, receive)
        reason = await connection.waitUntilClosed()
        if started.duration(to: .now) > .seconds(5) { backoff.reset() }
      } catch {
        reason = error
      }
      if Task.isCancelled { return }
      logger.debug("no subscription to Redis", metadata: ["reason": "\(reason)"])
      let text = "\(reason)"
      // Fails only when the loop is shut down.
      try? await eventLoop.submit { receive(.disconnected(reason: text)) }.get()
      await backoff.pause()
    }
  }

  private func subscribe(
    _ connection: RedisConnection, _ receive: @escaping @Sendable (Event) -> Void
  ) async throws {
    let arguments = (["SUBSCRIBE"] + channels).map { Array($0.utf8) }
    try await eventLoop.submit { [channels] in
      var missing = Set(channels)
      connection.handler.value.push { reply in
        guard let elements = reply.elements, elements.count == 3, let kind = elements[0].bytes,
          let channel = elements[1].bytes.map({ String(decoding: $0, as: UTF8.self) })
        else {
          // PING is answered with two elements; an error means that the subscription was refused.
          if case .error = reply { connection.channel.close(promise: nil) }
          return
        }
        switch kind {
        case Self.message:
          if let payload = elements[2].bytes { receive(.message(channel: channel, payload: payload)) }
        case Self.subscribed where missing.remove(channel) != nil && missing.isEmpty: receive(.subscribed)
        default: break
        }
      }
      var buffer = connection.channel.allocator.buffer(capacity: 128)
      try RedisCommandEncoder.append(arguments, to: &buffer)
      connection.channel.writeAndFlush(buffer, promise: nil)
    }.get()
  }

  private static let message = Array("message".utf8)
  private static let subscribed = Array("subscribe".utf8)
}
