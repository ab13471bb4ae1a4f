import ByteText
import EndpointKit
import HTTPTypes
import HummingbirdCore
import NIOCore

/// The way of requests from a Hummingbird server to a router, and of responses back.
final class RequestAdapter: Sendable {
  /// The time for which a client that was answered early may continue to send its body before it is cut off.
  private static let linger = TimeAmount.seconds(5)

  let router: Router
  let connections: ConnectionRegistry
  let deadlines: DeadlineWatch
  let trustsForwardedFor: Bool
  let requestIDHeader: HTTPField.Name?
  let compressedResources: CompressionRule
  let date: HTTPDate

  init(
    router: Router, connections: ConnectionRegistry, deadlines: DeadlineWatch, trustsForwardedFor: Bool,
    requestIDHeader: HTTPField.Name? = nil, compressedResources: CompressionRule, date: HTTPDate
  ) {
    self.router = router
    self.connections = connections
    self.deadlines = deadlines
    self.trustsForwardedFor = trustsForwardedFor
    self.requestIDHeader = requestIDHeader
    self.compressedResources = compressedResources
    self.date = date
  }

  /// Which responses of a listener are compressed.
  struct CompressionRule: Sendable {
    /// Path prefixes of the resources configured with `compress: true`.
    let prefixes: [Text]

    func covers(_ path: Text) -> Bool {
      prefixes.contains { path.hasPrefix($0) }
    }
  }

  /// Answers one request.
  ///
  /// - Throws: when the client has gone, so that the server closes the connection.
  func respond(
    to request: HummingbirdCore.Request, writer: consuming ResponseWriter, connection: Connection
  ) async throws {
    let body = BodySource(request, channel: connection.channel, deadlines: deadlines)
    let incoming = incoming(request, body, connection)
    let route = router.route(incoming)
    if route.endpoint != nil, request.headers[.expect].map({ Text($0).asciiLowercased }) == "100-continue" {
      try await writer.writeInformationalHead(HTTPResponse(status: .continue))
    }
    guard var response = await router.respond(to: incoming, along: route) else { throw CancellationError() }
    if wantsCompression(response, request) { await compress(&response) }
    finish(&response, body, connection)
    try await write(response, writer, withBody: incoming.method != "HEAD")
  }

  // The connection's task keeps for as long as the connection lives whatever its deepest call took. So what need not wait is kept apart,
  // and its variables with it.

  @inline(never)
  private func incoming(
    _ request: HummingbirdCore.Request, _ body: BodySource, _ connection: Connection
  ) -> IncomingRequest {
    IncomingRequest(
      method: Text(request.method.rawValue), target: Text(request.head.path ?? "/"), headers: request.headers,
      clientIP: clientIP(request, connection), id: requestID(request), body: body,
      onDisconnect: { action in connection.onDisconnect(action) })
  }

  private func write(
    _ response: EndpointKit.Response, _ writer: consuming ResponseWriter, withBody: Bool
  ) async throws {
    let head = HTTPResponse(status: HTTPResponse.Status(code: response.status), headerFields: response.headers)
    guard withBody else { return try await writer.write(response: head, body: HummingbirdCore.ResponseBody()) }
    switch response.body {
    case .bytes(let bytes):
      let body =
        bytes.isEmpty
        ? HummingbirdCore.ResponseBody() : HummingbirdCore.ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
      try await writer.write(response: head, body: body)
    case .stream(let stream):
      let body = HummingbirdCore.ResponseBody(contentLength: stream.length) { writer in
        var client: any BodyWriter = ClientWriter(writer: writer)
        try await EndpointKit.ResponseBody.stream(stream).write(to: &client)
        try await writer.finish(nil)
      }
      try await writer.write(response: head, body: body)
    }
  }

  private func clientIP(_ request: HummingbirdCore.Request, _ connection: Connection) -> Text {
    if trustsForwardedFor, let name = Self.forwardedFor, let field = request.headers[name],
      let first = Text(field).split(separator: UInt8(ascii: ",")).first?.words.first
    {
      return first
    }
    return connection.remoteAddress
  }

  /// Returns the proxy's identifier of a request, cut where it is longer than one.
  private func requestID(_ request: HummingbirdCore.Request) -> Text? {
    guard let requestIDHeader, let field = request.headers[requestIDHeader] else { return nil }
    return Text(field).utf8Prefix(128)
  }

  private static let forwardedFor = HTTPField.Name("X-Forwarded-For")

  @inline(never)
  private func wantsCompression(_ response: EndpointKit.Response, _ request: HummingbirdCore.Request) -> Bool {
    !compressedResources.prefixes.isEmpty && response.body.count ?? .max >= GzipEncoder.smallestBody
      && !response.headers.contains(.contentEncoding) && compressedResources.covers(Text(request.head.path ?? "/"))
      && GzipEncoder.isAccepted(request.headers[.acceptEncoding].map { Text($0) })
  }

  private func compress(_ response: inout EndpointKit.Response) async {
    switch response.body {
    case .bytes(let body):
      // Away from the event loop, whose other connections would have to wait.
      let encoded = await withTaskExecutorPreference(globalConcurrentExecutor) { await Self.encode(body) }
      guard let encoded else { return }
      response.body = .bytes(encoded)
    case .stream(let stream):
      guard let encoder = GzipEncoder() else { return }
      response.body = .stream(GzipEncoder.compressing(stream, with: encoder))
    }
    response.headers[.contentEncoding] = "gzip"
    response.headers[.vary] = "Accept-Encoding"
  }

  @concurrent private static func encode(_ body: [UInt8]) async -> [UInt8]? { GzipEncoder.encode(body) }

  private static let server = HTTPField(name: .server, value: "Myelin")

  @inline(never)
  private func finish(_ response: inout EndpointKit.Response, _ body: BodySource, _ connection: Connection) {
    if response.status != 204 && response.status != 304, let count = response.body.count {
      response.headers.append(HTTPField(name: .contentLength, value: String(count)))
    }
    response.headers.append(Self.server)
    response.headers.append(date.field())
    guard !body.isSpent else { return }
    // The rest of the body is not wanted. The server skips it to find the next request, but not indefinitely.
    response.headers[.connection] = "close"
    let channel = connection.channel
    channel.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
  }
}

/// A writer that sends a streamed body, and waits while the client is behind.
private struct ClientWriter: BodyWriter {
  var writer: any ResponseBodyWriter

  mutating func write(_ bytes: [UInt8]) async throws {
    if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
  }
}
