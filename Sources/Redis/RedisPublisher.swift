import ByteText
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A publisher of messages and reader and writer of keys, over a connection that is opened anew whenever it breaks.
///
/// Nothing waits: commands are collected and written together, pipelined. While there is no connection messages are
/// dropped; `connected` then informs the caller that something may be missing.
public final class RedisPublisher: Sendable {
  /// What happens on the connection, in order.
  public enum Event: Sendable, Equatable {
    /// Commands are accepted from now on; messages sent before may be lost.
    case connected
    /// The connection is gone.
    case disconnected(reason: Text)
  }

  private typealias Awaiter = RedisConnectionHandler.Awaiter

  private struct State {
    var connection: RedisConnection?
    var buffer = ByteBuffer()
    var awaiters: [Awaiter] = []
    var isFlushScheduled = false
    /// The number of commands without a reply, in the buffer and on the wire.
    var outstanding = 0
    var droppedMessages = 0
  }

  /// The limit on commands without a reply; a server so far behind is treated as gone.
  static let outstandingLimit = 200_000
  static let bufferLimit = 64 << 20

  private let configuration: RedisConfiguration
  private let eventLoop: any EventLoop
  private let logger: Logger
  private let state = Mutex(State())

  /// Makes a publisher; `run` connects it.
  /// - Parameters:
  ///   - configuration: where Redis is.
  ///   - eventLoop: loop on which events are reported.
  ///   - logger: receives failed attempts.
  public init(
    configuration: RedisConfiguration,
    eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(), logger: Logger
  ) {
    self.configuration = configuration
    self.eventLoop = eventLoop
    self.logger = logger
  }

  /// Whether commands are accepted right now.
  public var isConnected: Bool { state.withLock { $0.connection != nil } }

  /// The number of messages that were dropped for want of a connection or of room.
  public var droppedMessages: Int { state.withLock(\.droppedMessages) }

  // MARK: Commands

  /// Publishes messages in their order; drops them while there is no connection.
  /// - Parameters:
  ///   - channel: channel to publish to.
  ///   - payloads: the messages; any bytes.
  public func publish(channel: Text, payloads: [[UInt8]]) {
    let name = Array(channel.utf8)
    let accepted = enqueue(payloads.map { ([Self.publish, name, $0], .acknowledgement) })
    if !accepted { state.withLock { $0.droppedMessages += payloads.count } }
  }

  /// Sets a key that vanishes by itself; does nothing while there is no connection.
  /// - Parameters:
  ///   - key: the key.
  ///   - value: its value.
  ///   - expiryMilliseconds: life of the key, 1 or more.
  public func set(_ key: Text, _ value: [UInt8], expiryMilliseconds: Int64) {
    let expiry = Array("\(max(1, expiryMilliseconds))".utf8)
    _ = enqueue([([Self.set, Array(key.utf8), value, Self.px, expiry], .nobody)])
  }

  /// Reads a key.
  /// - Parameter key: the key.
  /// - Returns: its value, or nil when there is none.
  /// - Throws: `RedisError` when there is no connection or the server reports an error.
  public func get(_ key: Text) async throws -> [UInt8]? {
    switch try await ask([Self.get, Array(key.utf8)]) {
    case .string(let bytes): return bytes
    case .null: return nil
    default: throw RedisError(.protocolViolation, "GET was answered with something else")
    }
  }

  /// Counts the subscribers of a channel.
  /// - Parameter channel: the channel.
  /// - Throws: `RedisError` when there is no connection or the server reports an error.
  public func subscribers(of channel: Text) async throws -> Int {
    let reply = try await ask([Self.pubsub, Self.numsub, Array(channel.utf8)])
    guard let elements = reply.elements, elements.count == 2, case .integer(let count) = elements[1] else {
      throw RedisError(.protocolViolation, "PUBSUB NUMSUB was answered with something else")
    }
    return Int(count)
  }

  private func ask(_ arguments: [[UInt8]]) async throws -> RedisReply {
    let promise = eventLoop.makePromise(of: RedisReply.self)
    guard enqueue([(arguments, .promise(promise))]) else {
      let error = RedisError(.notConnected, "there is no connection to Redis")
      promise.fail(error)
      throw error
    }
    let reply = try await promise.futureResult.get()
    if case .error(let message) = reply { throw RedisError(.serverError, message) }
    return reply
  }

  private static let publish = Array("PUBLISH".utf8)
  private static let set = Array("SET".utf8)
  private static let px = Array("PX".utf8)
  private static let get = Array("GET".utf8)
  private static let pubsub = Array("PUBSUB".utf8)
  private static let numsub = Array("NUMSUB".utf8)

  // MARK: Queue

  /// Collects commands; one task on the event loop writes all that came until it runs.
  private func enqueue(_ commands: [(arguments: [[UInt8]], awaiter: Awaiter)]) -> Bool {
    guard !commands.isEmpty else { return true }
    return state.withLock { state in
      guard let connection = state.connection else { return false }
      guard state.outstanding + commands.count <= Self.outstandingLimit,
        state.buffer.readableBytes <= Self.bufferLimit
      else {
        connection.channel.close(promise: nil)
        return false
      }
      for command in commands {
        // Fails only without memory; then the whole batch must not be half sent.
        guard (try? RedisCommandEncoder.append(command.arguments, to: &state.buffer)) != nil else {
          connection.channel.close(promise: nil)
          return false
        }
        state.awaiters.append(command.awaiter)
      }
      state.outstanding += commands.count
      if !state.isFlushScheduled {
        state.isFlushScheduled = true
        eventLoop.execute { self.flush(connection) }
      }
      return true
    }
  }

  private func flush(_ connection: RedisConnection) {
    let (buffer, awaiters) = state.withLock { state in
      state.isFlushScheduled = false
      defer {
        state.buffer = ByteBuffer()
        state.awaiters = []
      }
      return (state.buffer, state.awaiters)
    }
    guard connection.channel.isActive else { return fail(awaiters) }
    connection.handler.value.await(awaiters)
    connection.channel.writeAndFlush(buffer, promise: nil)
  }

  private func fail(_ awaiters: [Awaiter]) {
    for case .promise(let promise) in awaiters {
      promise.fail(RedisError(.notConnected, "the connection was closed"))
    }
  }

  // MARK: Life

  /// Keeps the connection until the task is cancelled.
  /// - Parameter receive: takes events on the event loop; must not block.
  public func run(_ receive: @escaping @Sendable (Event) -> Void) async {
    var backoff = RedisBackoff()
    while !Task.isCancelled {
      let reason: any Error
      do {
        let connection = try await RedisConnection.open(configuration, on: eventLoop)
        let started = ContinuousClock.now
        try await attach(connection, receive)
        reason = await connection.waitUntilClosed()
        if started.duration(to: .now) > .seconds(5) { backoff.reset() }
      } catch {
        reason = error
      }
      await detach(reason, receive)
      if !Task.isCancelled { await backoff.pause() }
    }
  }

  private func attach(_ connection: RedisConnection, _ receive: @escaping @Sendable (Event) -> Void) async throws {
    try await eventLoop.submit {
      connection.handler.value.onReply { [weak self] in
        self?.state.withLock { $0.outstanding -= 1 }
      }
      self.state.withLock { state in
        state.connection = connection
        state.outstanding = 0
      }
      receive(.connected)
    }.get()
  }

  private func detach(_ reason: any Error, _ receive: @escaping @Sendable (Event) -> Void) async {
    let text: Text = "\(reason)"
    logger.debug("no connection to Redis", metadata: ["reason": "\(text)"])
    // Fails only when the loop is shut down.
    try? await eventLoop.submit {
      let awaiters = self.state.withLock { state in
        state.connection = nil
        state.buffer = ByteBuffer()
        defer { state.awaiters = [] }
        return state.awaiters
      }
      self.fail(awaiters)
      receive(.disconnected(reason: text))
    }.get()
  }
}
