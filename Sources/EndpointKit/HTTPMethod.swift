import ByteText

/// The request methods that endpoints may be declared for.
///
/// `HEAD` and `OPTIONS` are never declared: the router answers `HEAD` through the `GET` endpoint and `OPTIONS` itself.
public enum HTTPMethod: Text, Sendable, Hashable, CaseIterable {
  /// Reading without side effects.
  case get = "GET"
  /// Reading the headers that `GET` would answer.
  case head = "HEAD"
  /// Creating or acting.
  case post = "POST"
  /// Replacing, idempotently.
  case put = "PUT"
  /// Removes.
  case delete = "DELETE"
  /// Asking which methods a browser may use (CORS preflight).
  case options = "OPTIONS"
}
