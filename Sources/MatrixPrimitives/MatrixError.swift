/// An error that a client is informed of: HTTP status, error code, message and further members of the body.
public struct MatrixError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The HTTP status.
  public let status: Int
  /// The code, such as ``ErrorCode/forbidden``.
  public let code: ErrorCode
  /// The text for humans.
  public let message: Text
  /// Further members of the body, such as `soft_logout`.
  public let extras: [Text: JSON]
  /// How long to wait before trying again; also sent as the `Retry-After` header.
  public let retryAfterMilliseconds: Int64?

  /// Describes an error.
  ///
  /// Where a factory exists for the code (`.forbidden("…")`), use that unless the status is another.
  /// - Parameters:
  ///   - code: the code, which also gives the status.
  ///   - message: the text for humans.
  ///   - status: the status where it is not the code's own.
  ///   - extras: further members of the body.
  ///   - retryAfterMilliseconds: how long to wait before trying again.
  public init(
    _ code: ErrorCode, _ message: Text, status: Int? = nil, extras: [Text: JSON] = [:],
    retryAfterMilliseconds: Int64? = nil
  ) {
    self.status = status ?? code.defaultStatus
    self.code = code
    self.message = message
    self.extras = extras
    self.retryAfterMilliseconds = retryAfterMilliseconds
  }

  /// The code as it is spelled on the wire.
  public var errcode: Text { code.rawValue }

  /// Writes the body of the response: `errcode`, `error` and the further members.
  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("errcode", errcode)
    writer.member("error", message)
    writer.memberIfPresent("retry_after_ms", retryAfterMilliseconds)
    for (key, value) in extras.sorted(by: { $0.key < $1.key }) {
      writer.member(key, value)
    }
    writer.endObject()
  }

  /// A text for logs.
  public var description: String { "\(status) \(errcode): \(message)" }
}
