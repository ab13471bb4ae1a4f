import ByteText

/// A summary of an answered request for the access log and metrics.
public struct RequestRecord: Sendable {
  /// The request's id.
  public let id: Text
  /// The endpoint's name, or nil when none matched.
  public let endpoint: Text?
  /// The method as sent.
  public let method: Text
  let route: Route
  /// The answered status, or nil when the client was gone.
  public let status: Int?
  /// The number of bytes of the response's body; 0 for one that is streamed without a length.
  public let responseBytes: Int
  /// The user the token belongs to.
  public let user: Text?
  /// The caller's address.
  public let clientIP: Text
  /// The `User-Agent` header.
  public let userAgent: Text
  /// From the request's head to the response.
  public let duration: Duration

  /// Path and query with the access token blotted out; made when asked for, since not every record is written down.
  public var target: Text { route.redactedTarget }
}
