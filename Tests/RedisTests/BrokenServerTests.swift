import ByteText
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Redis

/// A server whose answers are made from what it reads.
struct ScriptedServer {
  let path: Text = "/tmp/myelin-\(UUID().uuidString.prefix(13)).sock"
  let channel: any Channel

  /// Answers anything with the same bytes.
  init(answering bytes: [UInt8]) async throws {
    try await self.init { _ in bytes }
  }

  init(_ answer: @escaping @Sendable (Text) -> [UInt8]) async throws {
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { child in
        child.eventLoop.makeCompletedFuture {
          try child.pipeline.syncOperations.addHandler(Answer(answer))
        }
      }
      .bind(unixDomainSocketPath: path.string, cleanupExistingSocketFile: true).get()
  }

  func stop() async throws { try await channel.close() }

  private final class Answer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    let answer: @Sendable (Text) -> [UInt8]
    init(_ answer: @escaping @Sendable (Text) -> [UInt8]) { self.answer = answer }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = answer(Text(String(buffer: unwrapInboundIn(data))))
      context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
    }
  }
}

@Suite(.timeLimit(.minutes(1))) struct BrokenServerTests {
  static let answers = [
    "garbage\r\n", "*2147483647\r\n", "+OK\r\n+OK\r\n+OK\r\n", "-ERR no\r\n", ":1\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n",
    "$99999999999999999999\r\n", Text(repeating: "*7\r\n", count: 20),
  ]

  @Test(arguments: answers) func nonsenseEndsTheConnectionOnly(_ answer: Text) async throws {
    let server = try await ScriptedServer(answering: Array(answer.utf8))
    let configuration = RedisConfiguration(endpoint: .unix(path: server.path), password: "x", database: 1)
    let publisher = RedisPublisher(configuration: configuration, logger: Logger(label: "test"))
    let events = Events<RedisPublisher.Event>()
    let task = Task { await publisher.run(events.send) }
    var iterator = events.stream.makeAsyncIterator()
    while let event = await iterator.next() { if case .disconnected = event { break } }
    while let event = await iterator.next() { if case .disconnected = event { break } }
    task.cancel()
    await task.value
    try await server.stop()
  }

  @Test(arguments: answers) func nonsenseEndsASubscriptionOnly(_ answer: Text) async throws {
    let server = try await ScriptedServer(answering: Array(answer.utf8))
    try await withSubscriber(RedisConfiguration(endpoint: .unix(path: server.path), password: "x")) { events in
      for _ in 0..<2 {
        guard case .disconnected = await events.next() else {
          Issue.record("nonsense was taken for a subscription")
          return
        }
      }
    }
    try await server.stop()
  }

  @Test(arguments: answers + ["*1\r\n*1\r\n*1\r\n$1\r\na\r\n", "*3\r\n$7\r\nmessage\r\n:1\r\n$-1\r\n"])
  func nonsenseAfterSubscribingIsPassedOverOrEndsIt(_ answer: Text) async throws {
    let server = try await ScriptedServer { command in
      command.contains("SUBSCRIBE") ? Array((Self.subscribed + answer + Self.message).utf8) : Array("+PONG\r\n".utf8)
    }
    try await withSubscriber(RedisConfiguration(endpoint: .unix(path: server.path))) { events in
      #expect(await events.next() == .subscribed)
      switch await events.next() {
      case .message(let channel, let payload):
        #expect(channel == "a")
        #expect(payload == [0x78])
      case .disconnected: break
      default: Issue.record("neither a message nor the end")
      }
    }
    try await server.stop()
  }

  private static let subscribed = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
  private static let message = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"

  private final class Silence: Sendable { let hasBegun = Atomic(false) }

  @Test func aServerThatFallsSilentIsLeft() async throws {
    // Answers until the channel is subscribed to, and nothing more.
    let silence = Silence()
    let server = try await ScriptedServer { command in
      if silence.hasBegun.load(ordering: .relaxed) { return [] }
      guard command.contains("SUBSCRIBE") else { return Array("+PONG\r\n".utf8) }
      silence.hasBegun.store(true, ordering: .relaxed)
      return Array(Self.subscribed.utf8)
    }
    var configuration = RedisConfiguration(endpoint: .unix(path: server.path))
    configuration.pingInterval = .milliseconds(200)
    try await withSubscriber(configuration) { events in
      // On a busy machine logging in may take too long at first.
      while let event = await events.next(), event != .subscribed {}
      guard case .disconnected(let reason) = await events.next() else {
        Issue.record("a silent server was taken for a good one")
        return
      }
      #expect(reason.contains("no reply to PING"))
    }
    try await server.stop()
  }

  @Test func aSubscriberThatLogsInIsStopped() async throws {
    let server = try await ScriptedServer(answering: [])
    var configuration = RedisConfiguration(endpoint: .unix(path: server.path))
    (configuration.connectTimeout, configuration.pingInterval) = (.hours(1), .hours(1))
    try await withSubscriber(configuration) { _ in try await Task.sleep(for: .milliseconds(50)) }
    try await server.stop()
  }

  /// Runs a subscriber to the channel `a`, and waits for its end after the body.
  private func withSubscriber(
    _ configuration: RedisConfiguration,
    _ body: (inout AsyncStream<RedisSubscriber.Event>.Iterator) async throws -> Void
  ) async throws {
    let subscriber = RedisSubscriber(configuration: configuration, channels: ["a"], logger: Logger(label: "test"))
    let events = Events<RedisSubscriber.Event>()
    let task = Task { await subscriber.run(events.send) }
    var iterator = events.stream.makeAsyncIterator()
    try await body(&iterator)
    task.cancel()
    await task.value
  }

  @Test func aSilentServerIsLeft() async throws {
    let server = try await ScriptedServer(answering: [])
    var configuration = RedisConfiguration(endpoint: .unix(path: server.path))
    configuration.pingInterval = .milliseconds(20)
    try await withSubscriber(configuration) { events in
      guard case .disconnected(let reason) = await events.next() else {
        Issue.record("a silent server was taken for a good one")
        return
      }
      #expect(reason.contains("unresponsive"))
    }
    try await server.stop()
  }
}
