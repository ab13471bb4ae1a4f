import NIOCore
import NIOPosix

/// The measurement of the generator itself: how much it can load a server that does nothing.
struct Calibration: Sendable {
  /// A handler that answers every request with the same small response.
  private final class Responder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let response = ByteBuffer(
      string: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: calibration\r\nContent-Length: 96\r\n\r\n"
        + "{\"user_id\":\"" + String(repeating: "x", count: 82) + "\"}")

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      // The generator sends a request at a time and each in one piece.
      context.writeAndFlush(wrapOutboundOut(Self.response), promise: nil)
    }
  }

  let plan: LoadPlan

  func run(on loop: any EventLoop, responder group: any EventLoopGroup) async throws -> Report {
    let server = try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Responder()) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let target = try Target(baseURL: "http://127.0.0.1:\(server.localAddress?.port ?? 0)")
    let request = RequestWriter(target).request(
      "GET", "/_matrix/client/v3/account/whoami", token: String(repeating: "t", count: 50))
    let round = LoadRound(target, plan: plan, workload: .cycling([request]), loop: loop)
    let result = try await round.run(gate: Gate(isOpen: false))
    try await server.close()
    var report = Report("calibration", plan: plan, result)
    let requests = Double(max(1, report.requests))
    report.figures = [
      "microseconds_per_request": result.threadSeconds / requests * 1e6,
      "limit_per_second": requests / max(result.threadSeconds, 1e-9),
    ]
    return report
  }
}
