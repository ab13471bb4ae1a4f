import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import Redis

/// Plays a server that answers anything with the same bytes.
struct ScriptedServer {
  let path = "/tmp/myelin-\(UUID().uuidString.prefix(13)).sock"
  let channel: any Channel

  init(answering bytes: [UInt8]) async throws {
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { child in
        child.eventLoop.makeCompletedFuture {
          try child.pipeline.syncOperations.addHandler(Answer(bytes: bytes))
        }
      }
      .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
  }

  func stop() async throws { try await channel.close() }

  private final class Answer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    let bytes: [UInt8]
    init(bytes: [UInt8]) { self.bytes = bytes }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
    }
  }
}

@Suite(.timeLimit(.minutes(1))) struct BrokenServerTests {
  static let answers = [
    "garbage\r\n", "*2147483647\r\n", "+OK\r\n+OK\r\n+OK\r\n", "-ERR no\r\n", ":1\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n",
    "$99999999999999999999\r\n", String(repeating: "*7\r\n", count: 20),
  ]

  @Test(arguments: answers) func nonsenseEndsTheConnectionOnly(_ answer: String) async throws {
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

  @Test func aSilentServerIsLeft() async throws {
    let server = try await ScriptedServer(answering: [])
    var configuration = RedisConfiguration(endpoint: .unix(path: server.path))
    configuration.pingInterval = .milliseconds(20)
    let subscriber = RedisSubscriber(configuration: configuration, channels: ["a"], logger: Logger(label: "test"))
    let events = Events<RedisSubscriber.Event>()
    let task = Task { await subscriber.run(events.send) }
    var iterator = events.stream.makeAsyncIterator()
    guard case .disconnected(let reason) = await iterator.next() else {
      Issue.record("a silent server was taken for a good one")
      return
    }
    #expect(reason.contains("unresponsive"))
    task.cancel()
    await task.value
    try await server.stop()
  }
}
