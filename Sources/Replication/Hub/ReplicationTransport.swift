import ByteText

/// The way of encoded commands between the processes of a cluster.
///
/// Two exist: `RedisTransport`, and `InMemoryTransport` for a server that is a single process.
public protocol ReplicationTransport: Sendable {
  /// Whether other processes can listen at all; nothing is encoded when they cannot.
  var isRemote: Bool { get }

  /// Sends lines in their order, as one write where possible. Never waits: while there is no connection, or when the
  /// bounded queue is full, lines are dropped and a `connected` event follows later.
  /// - Parameter lines: encoded commands.
  func send(_ lines: [OutboundLine])

  /// Keeps the connection until the task is cancelled, reconnecting as needed.
  /// - Parameter receive: takes events in order; called on a thread that must not be blocked.
  func run(_ receive: @escaping @Sendable (TransportEvent) -> Void) async throws

  /// Counts the processes that listen right now, this one included; nil when that is unknown.
  func listeners() async -> Int?

  /// The executor that runs tasks on the thread on which events are received; nil when that is no thread in particular.
  var executor: (any TaskExecutor)? { get }
}

extension ReplicationTransport {
  /// None: events are received on no thread in particular.
  public var executor: (any TaskExecutor)? { nil }

  /// Unknown.
  public func listeners() async -> Int? { nil }
}

/// An encoded command and the channel it belongs to.
public struct OutboundLine: Sendable, Equatable {
  /// The two channels of a cluster.
  public enum Channel: Sendable, Equatable {
    /// The channel that every process reads, named like the server.
    case main
    /// The channel for `USER_IP`, read by the background process only.
    case userIP
  }

  /// The channel that the line goes to.
  public let channel: Channel
  /// The line without a newline.
  public let bytes: [UInt8]

  /// Addresses a line.
  /// - Parameters:
  ///   - channel: channel to publish to.
  ///   - bytes: the line, without a newline.
  public init(channel: Channel = .main, bytes: [UInt8]) {
    self.channel = channel
    self.bytes = bytes
  }
}

/// What happens on a transport.
public enum TransportEvent: Sendable, Equatable {
  /// Sending and receiving work from now on; whatever was sent before may be lost, so positions must be compared.
  case connected
  /// A line arrived (also one's own).
  case line([UInt8])
  /// The connection is gone; the transport tries again by itself.
  case disconnected(reason: Text)
}

/// The transport of a server in a single process: rows reach local subscribers only.
public struct InMemoryTransport: ReplicationTransport {
  /// Makes the transport.
  public init() {}

  /// Whether other processes listen: never.
  public var isRemote: Bool { false }

  /// Drops the lines, since there is no other listener.
  public func send(_ lines: [OutboundLine]) {}

  /// Waits until the task is cancelled.
  public func run(_ receive: @escaping @Sendable (TransportEvent) -> Void) async throws {
    let (never, end) = AsyncStream.makeStream(of: Void.self)
    for await _ in never {}
    end.finish()
  }
}
