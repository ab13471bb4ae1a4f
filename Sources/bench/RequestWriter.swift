import NIOCore

/// A writer of HTTP/1.1 requests for one server as bytes that are ready to send.
struct RequestWriter: Sendable {
  private let host: String
  private let pathPrefix: String

  init(_ target: Target) {
    host = target.authority
    pathPrefix = target.pathPrefix
  }

  /// - Parameters:
  ///   - path: The path with its query, percent-encoded.
  ///   - token: An access token for the Authorization header.
  ///   - body: A JSON text.
  func request(_ method: String, _ path: String, token: String? = nil, body: String? = nil) -> ByteBuffer {
    var bytes = ByteBuffer()
    bytes.reserveCapacity(256 + path.utf8.count + (body?.utf8.count ?? 0))
    bytes.writeString("\(method) \(pathPrefix)\(path) HTTP/1.1\r\nHost: \(host)\r\n")
    if let token { bytes.writeString("Authorization: Bearer \(token)\r\n") }
    if let body {
      bytes.writeString("Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    } else {
      bytes.writeStaticString("\r\n")
    }
    return bytes
  }
}
