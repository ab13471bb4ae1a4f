import ByteText
import Logging
import NIOCore
import Synchronization
import Threads

/// A follower of Redis channels, over a connection that is opened anew whenever it breaks.
public final class RedisSubscriber: Sendable {
  /// What happens on the connection, in order.
  public enum Event: Sendable, Equatable {
    /// The server acknowledged all channels: from here on nothing is missed. What happened while there was no
    /// connection is lost, so the reader must compare its state with the writers'.
    case subscribed
    /// A message came.
    case message(channel: Text, payload: [UInt8])
    /// The connection is gone.
    case disconnected(reason: Text)
  }

  private let configuration: RedisConfiguration
  private let channels: [Text]
  private let thread: FollowingThread
  private let logger: Logger

  /// Makes a subscriber; `run` connects it.
  /// - Parameters:
  ///   - configuration: where Redis is.
  ///   - channels: channels to follow, at least one.
  ///   - thread: reads from Redis; events are reported on it. It can follow one subscriber at a time.
  ///   - logger: receives failed attempts.
  public init(
    configuration: RedisConfiguration, channels: [Text], thread: FollowingThread = FollowingThread(), logger: Logger
  ) {
    self.configuration = configuration
    self.channels = channels
    self.thread = thread
    self.logger = logger
  }

  /// Keeps the subscription until the task is cancelled.
  /// - Parameter receive: takes events on the thread; must not block.
  public func run(_ receive: @escaping @Sendable (Event) -> Void) async {
    var backoff = RedisBackoff()
    while !Task.isCancelled {
      let started = ContinuousClock.now
      let reason = await followOnce(receive)
      if Task.isCancelled { return }
      if started.duration(to: .now) > .seconds(15) { backoff.reset() }
      let text: Text = "\(reason)"
      logger.debug("no subscription to Redis", metadata: ["reason": "\(text)"])
      await withCheckedContinuation { continuation in
        thread.execute {
          receive(.disconnected(reason: text))
          continuation.resume()
        }
      }
      await backoff.pause()
    }
  }

  /// Connects and follows until the connection ends.
  ///
  /// - Returns: why it has ended.
  private func followOnce(_ receive: @escaping @Sendable (Event) -> Void) async -> any Error {
    var tunnel: RedisTunnel?
    do {
      if let tls = configuration.tls { tunnel = try await RedisTunnel.open(configuration, tls) }
      let end = await follow(try await open(tunnel?.descriptor), receive)
      return tunnel?.failure ?? end
    } catch {
      return tunnel?.failure ?? error
    }
  }

  /// Opens a connection on a thread that may wait, and does not wait for it any longer when the task is cancelled.
  private func open(_ tunnel: Int32?) async throws -> RedisSubscription {
    let answer = FirstAnswer<RedisSubscription>()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        answer.expect(continuation)
        BlockingThread.start("redis-connect") { [configuration, channels] in
          answer.give(Result { try RedisSubscription.open(configuration, tunnel: tunnel, channels: channels) })
        }
      }
    } onCancel: {
      answer.give(.failure(CancellationError()))
    }
  }

  private func follow(
    _ subscription: RedisSubscription, _ receive: @escaping @Sendable (Event) -> Void
  ) async -> RedisError {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        thread.follow(subscription, receive: receive) { continuation.resume(returning: $0) }
      }
    } onCancel: {
      thread.leave(subscription)
    }
  }
}

/// The first answer that is given to the waiting task; further ones are dropped.
private final class FirstAnswer<Value: Sendable>: Sendable {
  private struct State {
    var waiting: CheckedContinuation<Value, any Error>?
    var given: Result<Value, any Error>?
  }

  private let state = Mutex(State())

  /// Registers who waits; answered at once when an answer has been given already.
  func expect(_ continuation: CheckedContinuation<Value, any Error>) {
    let given = state.withLock { state in
      if state.given == nil { state.waiting = continuation }
      return state.given
    }
    if let given { continuation.resume(with: given) }
  }

  func give(_ answer: Result<Value, any Error>) {
    let waiting = state.withLock { state in
      defer { state.waiting = nil }
      guard state.given == nil else { return nil as CheckedContinuation<Value, any Error>? }
      state.given = answer
      return state.waiting
    }
    waiting?.resume(with: answer)
  }
}
