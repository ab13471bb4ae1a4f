import ByteText
import HTTPTypes

/// Carries a request from the HTTP server to the router: the head, and a way to read the body.
public final class IncomingRequest: Sendable {
  /// Reads the whole body.
  ///
  /// Takes the largest acceptable size in bytes. Throws `MatrixError` 413 as soon as more arrives, and any other error
  /// when the connection breaks.
  public typealias BodyReader = @Sendable (_ limit: Int) async throws -> [UInt8]

  /// Sets what happens when the client hangs up, at once if it has; nil forgets it.
  public typealias DisconnectHook = @Sendable (_ action: (@Sendable () -> Void)?) -> Void

  /// The method as sent; the router refuses those it does not know.
  public let method: Text
  /// The path and query as sent.
  public let target: Text
  /// The header fields.
  public let headers: HTTPFields
  /// The caller's address: of the connection, or of the proxy's `X-Forwarded-For` where the listener trusts it.
  public let clientIP: Text
  /// Identifies the request in the log, where a proxy has given it an identifier; nil for one of the router's.
  public let id: Text?
  /// Tells whether there may be a body to read.
  public let hasBody: Bool
  /// Reads the body; called at most once.
  public let body: BodyReader
  /// Sets what happens when the client hangs up.
  public let onDisconnect: DisconnectHook

  /// Describes a request.
  ///
  /// - Parameters:
  ///   - method: as on the request line.
  ///   - target: path and query as on the request line.
  ///   - headers: all fields.
  ///   - clientIP: textual address.
  ///   - id: identifies the request in the log.
  ///   - hasBody: whether there may be a body to read.
  ///   - body: reads the body, at most once.
  ///   - onDisconnect: sets what happens when the client hangs up.
  public init(
    method: Text, target: Text, headers: HTTPFields, clientIP: Text, id: Text? = nil, hasBody: Bool = true,
    body: @escaping BodyReader = { _ in [] },
    onDisconnect: @escaping DisconnectHook = { _ in }
  ) {
    self.method = method
    self.target = target
    self.headers = headers
    self.clientIP = clientIP
    self.id = id
    self.hasBody = hasBody
    self.body = body
    self.onDisconnect = onDisconnect
  }
}
