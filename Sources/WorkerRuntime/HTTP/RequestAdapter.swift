import EndpointKit
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Carries requests from a Hummingbird server to a router and responses back.
struct RequestAdapter: Sendable {
  /// How long a client that was answered early may go on sending its body before it is cut off.
  private static let linger = TimeAmount.seconds(5)

  let router: Router
  let connections: ConnectionRegistry
  let deadlines: DeadlineWatch
  let trustsForwardedFor: Bool
  let compressedResources: CompressionRule
  let serverHeader: String
  let date: HTTPDate

  /// Says which responses of a listener are compressed.
  struct CompressionRule: Sendable {
    /// Path prefixes of the resources configured with `compress: true`.
    let prefixes: [String]

    func covers(_ path: String) -> Bool {
      prefixes.contains { path.hasPrefix($0) }
    }
  }

  /// Answers one request.
  ///
  /// - Throws: when the client has gone, so that the server closes the connection.
  func respond(
    to request: HummingbirdCore.Request, writer: consuming ResponseWriter, channel: any Channel
  ) async throws {
    let body = BodySource(request, channel: channel, deadlines: deadlines)
    let incoming = IncomingRequest(
      method: request.method.rawValue, target: request.head.path ?? "/", headers: request.headers,
      clientIP: clientIP(request, channel),
      body: { limit in try await body.read(limit: limit) },
      onDisconnect: { action in connections.onDisconnect(channel, action) })
    let route = router.route(incoming)
    if route.endpoint != nil, request.headers[.expect]?.lowercased() == "100-continue" {
      try await writer.writeInformationalHead(HTTPResponse(status: .continue))
    }
    guard var response = await router.respond(to: incoming, along: route) else { throw CancellationError() }
    compress(&response, request)
    finish(&response)
    if !body.isSpent {
      // The rest of the body is not wanted. The server skips it to find the next request, but not for ever.
      response.headers[.connection] = "close"
      channel.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
    }
    let head = HTTPResponse(status: HTTPResponse.Status(code: response.status), headerFields: response.headers)
    let sendsBody = request.method != .head && !response.body.isEmpty
    try await writer.write(
      response: head, body: sendsBody ? ResponseBody(byteBuffer: ByteBuffer(bytes: response.body)) : ResponseBody())
  }

  private func clientIP(_ request: HummingbirdCore.Request, _ channel: any Channel) -> String {
    if trustsForwardedFor, let name = Self.forwardedFor, let field = request.headers[name],
      let first = field.split(separator: ",").first
    {
      return String(first.drop { $0 == " " }.prefix { $0 != " " })
    }
    guard let address = channel.remoteAddress?.ipAddress else { return "" }
    // A socket for both families shows IPv4 clients as IPv4-mapped IPv6 addresses.
    return address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
  }

  private static let forwardedFor = HTTPField.Name("X-Forwarded-For")

  private func compress(_ response: inout EndpointKit.Response, _ request: HummingbirdCore.Request) {
    guard !compressedResources.prefixes.isEmpty, response.body.count >= GzipEncoder.smallestBody,
      response.headers[.contentEncoding] == nil, compressedResources.covers(request.head.path ?? "/"),
      GzipEncoder.isAccepted(request.headers[.acceptEncoding]), let encoded = GzipEncoder.encode(response.body)
    else { return }
    response.body = encoded
    response.headers[.contentEncoding] = "gzip"
    response.headers[.vary] = "Accept-Encoding"
  }

  private func finish(_ response: inout EndpointKit.Response) {
    if response.status != 204 && response.status != 304 {
      response.headers[.contentLength] = String(response.body.count)
    }
    response.headers[.server] = serverHeader
    response.headers[.date] = date.text()
  }
}
