import Foundation

/// The server that is measured: its address, and the socket when it listens on one of the file system.
struct Target: Sendable {
  /// The address without a slash at its end.
  let baseURL: String
  let host: String
  let port: Int
  let isTLS: Bool
  /// The path of a unix socket that is connected to in place of host and port.
  let unixSocket: String?

  /// - Throws: `BenchError` unless the address is `http://HOST[:PORT][/PATH]` or the same with https.
  init(baseURL text: String, unixSocket: String? = nil) throws(BenchError) {
    var trimmed = text
    while trimmed.hasSuffix("/") { trimmed.removeLast() }
    guard let parts = URLComponents(string: trimmed), let host = parts.host, !host.isEmpty,
      let scheme = parts.scheme, scheme == "http" || scheme == "https", parts.query == nil
    else { throw BenchError("\(text) is no address such as http://localhost:8008") }
    baseURL = trimmed
    self.host = host
    isTLS = scheme == "https"
    port = parts.port ?? (isTLS ? 443 : 80)
    self.unixSocket = unixSocket
  }

  /// What the Host header says.
  var authority: String { port == (isTLS ? 443 : 80) ? host : "\(host):\(port)" }

  /// The path in front of every request's path, for a server that is not at the root.
  var pathPrefix: String { URLComponents(string: baseURL)?.percentEncodedPath ?? "" }

  /// The address for AsyncHTTPClient, which takes a socket's path percent-encoded in place of the host.
  var clientURL: String {
    guard let unixSocket else { return baseURL }
    let path = Path.quoted(unixSocket)
    return "\(isTLS ? "https" : "http")+unix://\(path)\(pathPrefix)"
  }
}
