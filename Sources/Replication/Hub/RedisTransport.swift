import ByteText
import Logging
import Redis
import Synchronization

/// The transport over Redis: one connection publishes, one follows the cluster's channels.
///
/// The channel is named like the server; `USER_IP` has the channel `<server name>/USER_IP`. Observed on Synapse's wire.
public final class RedisTransport: ReplicationTransport {
  private struct Readiness {
    var isPublishing = false
    var isSubscribed = false
    var isBoth: Bool { isPublishing && isSubscribed }
  }

  /// The connection that publishes, and serves the few keys that processes share in Redis.
  public let publisher: RedisPublisher
  /// The executor that runs tasks on the thread that reads from Redis.
  public var executor: (any TaskExecutor)? { thread }
  private let thread = FollowingThread()
  private let subscriber: RedisSubscriber
  private let mainChannel: Text
  private let userIPChannel: Text
  private let readiness = Mutex(Readiness())

  /// Makes a transport; the hub runs it.
  /// - Parameters:
  ///   - configuration: where Redis is.
  ///   - serverName: `server_name` of the cluster, which names the channels.
  ///   - receivesUserIP: whether `USER_IP` is followed: by the main process and the one that runs background tasks.
  ///   - logger: receives failed attempts to connect.
  public init(configuration: RedisConfiguration, serverName: Text, receivesUserIP: Bool, logger: Logger) {
    mainChannel = serverName
    userIPChannel = "\(serverName)/USER_IP"
    publisher = RedisPublisher(configuration: configuration, logger: logger)
    subscriber = RedisSubscriber(
      configuration: configuration, channels: receivesUserIP ? [mainChannel, userIPChannel] : [mainChannel],
      thread: thread, logger: logger)
  }

  /// Whether other processes listen: always.
  public var isRemote: Bool { true }

  /// Publishes lines in their order, pipelined in one write; drops them while there is no connection.
  public func send(_ lines: [OutboundLine]) {
    var rest = lines[...]
    while let channel = rest.first?.channel {
      let run = rest.prefix { $0.channel == channel }
      publisher.publish(channel: channel == .main ? mainChannel : userIPChannel, payloads: run.map(\.bytes))
      rest = rest.dropFirst(run.count)
    }
  }

  /// Counts the subscribers of the cluster's channel.
  public func listeners() async -> Int? { try? await publisher.subscribers(of: mainChannel) }

  /// Keeps both connections until the task is cancelled. Reports `connected` whenever one of them comes (back) while
  /// the other one is there.
  public func run(_ receive: @escaping @Sendable (TransportEvent) -> Void) async throws {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await self.publisher.run { event in
          // On the thread of the other connection, so that the events of both come one after the other.
          self.thread.execute {
            switch event {
            case .connected: self.change(receive) { $0.isPublishing = true }
            case .disconnected(let reason): self.change(receive, reason) { $0.isPublishing = false }
            }
          }
        }
      }
      group.addTask {
        await self.subscriber.run { event in
          switch event {
          case .subscribed: self.change(receive) { $0.isSubscribed = true }
          case .message(_, let payload): receive(.line(payload))
          case .disconnected(let reason): self.change(receive, reason) { $0.isSubscribed = false }
          }
        }
      }
    }
  }

  private func change(
    _ receive: @Sendable (TransportEvent) -> Void, _ reason: Text = "", _ body: (inout Readiness) -> Void
  ) {
    let isReady = readiness.withLock { readiness in
      body(&readiness)
      return readiness.isBoth
    }
    receive(isReady ? .connected : .disconnected(reason: reason))
  }
}
