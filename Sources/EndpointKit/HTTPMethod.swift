import ByteText

/// Names the request methods that endpoints may be declared for.
///
/// `HEAD` and `OPTIONS` are never declared: the router answers `HEAD` through the `GET` endpoint and `OPTIONS` itself.
public enum HTTPMethod: Text, Sendable, Hashable, CaseIterable {
  /// Reads without side effects.
  case get = "GET"
  /// Reads the headers that `GET` would answer.
  case head = "HEAD"
  /// Creates or acts.
  case post = "POST"
  /// Replaces, idempotently.
  case put = "PUT"
  /// Removes.
  case delete = "DELETE"
  /// Asks which methods a browser may use (CORS preflight).
  case options = "OPTIONS"
}
