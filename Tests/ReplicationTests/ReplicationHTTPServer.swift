import ByteText
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A stand-in for another process: answers calls as a closure says and notes them.
final class ReplicationHTTPServer: Sendable {
  struct Call: Sendable {
    var method: Text
    var uri: Text
    var authorization: [Text]
    var body: Text
  }

  struct Answer: Sendable {
    var status: HTTPResponseStatus = .ok
    var body = "{}"
    /// Whether the call is left without an answer.
    var isSilent = false
  }

  let channel: any Channel
  private let state = Mutex<[Call]>([])
  private let answer: @Sendable (Int, Call) -> Answer

  static func start(
    unixSocket: Text? = nil, _ answer: @escaping @Sendable (Int, Call) -> Answer
  ) async throws -> ReplicationHTTPServer {
    let box = Mutex<ReplicationHTTPServer?>(nil)
    let handler: @Sendable (Call) -> Answer? = { call in box.withLock { $0 }?.take(call) }
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).childChannelInitializer { child in
      child.eventLoop.makeCompletedFuture {
        try child.pipeline.syncOperations.configureHTTPServerPipeline()
        try child.pipeline.syncOperations.addHandler(Handler(take: handler))
      }
    }
    let channel =
      if let unixSocket {
        try await bootstrap.bind(unixDomainSocketPath: unixSocket.string).get()
      } else {
        try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
      }
    let server = ReplicationHTTPServer(channel: channel, answer: answer)
    box.withLock { $0 = server }
    return server
  }

  private init(channel: any Channel, answer: @escaping @Sendable (Int, Call) -> Answer) {
    self.channel = channel
    self.answer = answer
  }

  var port: Int { channel.localAddress?.port ?? 0 }

  var calls: [Call] { state.withLock { $0 } }

  private func take(_ call: Call) -> Answer {
    let number = state.withLock { calls in
      calls.append(call)
      return calls.count
    }
    return answer(number, call)
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private let take: @Sendable (Call) -> Answer?
    private var call: Call?

    init(take: @escaping @Sendable (Call) -> Answer?) { self.take = take }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head):
        call = Call(
          method: Text(head.method.rawValue), uri: Text(head.uri),
          authorization: head.headers["Authorization"].map { Text($0) }, body: "")
      case .body(let buffer): call?.body += Text(String(buffer: buffer))
      case .end:
        guard let call, let answer = take(call), !answer.isSilent else { return }
        let headers: HTTPHeaders = ["Content-Length": "\(answer.body.utf8.count)"]
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body.string)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
      }
    }
  }
}
