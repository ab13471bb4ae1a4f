import ByteText
import HTTPTypes

/// The body of a request on its way in. It is read in one of two ways, and only once.
public protocol IncomingBody: Sendable {
  /// Whether there may be a body to read.
  var isExpected: Bool { get }

  /// Reads the whole body.
  ///
  /// - Parameter limit: the largest acceptable size, in bytes.
  /// - Throws: 413 `M_TOO_LARGE` as soon as more is declared or has come, `CancellationError` when the connection breaks.
  func collect(limit: Int) async throws -> [UInt8]

  /// Waits for the next piece; the sender is held back until it is asked for. Calls come one after the other.
  ///
  /// - Parameter limit: the largest acceptable size of the whole, in bytes.
  /// - Returns: nil at the end of the body.
  /// - Throws: as ``collect(limit:)``.
  func next(limit: Int) async throws -> [UInt8]?
}

/// A request as the HTTP server hands it to the router: the head, and a way to read the body.
public final class IncomingRequest: Sendable {
  /// A closure that sets what happens when the client hangs up, at once if it has; nil forgets it.
  public typealias DisconnectHook = @Sendable (_ action: (@Sendable () -> Void)?) -> Void

  /// The method as sent; the router refuses unknown ones.
  public let method: Text
  /// The path and query as sent.
  public let target: Text
  /// The header fields.
  public let headers: HTTPFields
  /// The caller's address: of the connection, or of the proxy's `X-Forwarded-For` where the listener trusts it.
  public let clientIP: Text
  /// The name of the request in the log, where a proxy has given it one; nil for one of the router's.
  public let id: Text?
  /// Whether another process of the cluster passes it on, so that it may not be passed on again.
  public let isForwarded: Bool
  /// The body.
  public let body: any IncomingBody
  /// Sets what happens when the client hangs up.
  public let onDisconnect: DisconnectHook

  /// Describes a request.
  ///
  /// - Parameters:
  ///   - method: as on the request line.
  ///   - target: path and query as on the request line.
  ///   - headers: all fields.
  ///   - clientIP: textual address.
  ///   - id: name of the request in the log.
  ///   - isForwarded: whether another process of the cluster passes it on.
  ///   - body: the body.
  ///   - onDisconnect: sets what happens when the client hangs up.
  public init(
    method: Text, target: Text, headers: HTTPFields, clientIP: Text, id: Text? = nil, isForwarded: Bool = false,
    body: any IncomingBody = BytesInHand(), onDisconnect: @escaping DisconnectHook = { _ in }
  ) {
    self.method = method
    self.target = target
    self.headers = headers
    self.clientIP = clientIP
    self.id = id
    self.isForwarded = isForwarded
    self.body = body
    self.onDisconnect = onDisconnect
  }
}
