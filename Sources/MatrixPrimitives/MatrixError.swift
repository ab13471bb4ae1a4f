/// Carries an error a client is told about: HTTP status, error code, message and further members of the body.
///
/// Errors are made by the factories, so that status and code belong together.
public struct MatrixError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Gives the HTTP status.
  public let status: Int
  /// Gives the code, such as `M_FORBIDDEN`.
  public let errcode: Text
  /// Gives the text for humans.
  public let message: Text
  /// Gives further members of the body, such as `soft_logout`.
  public let extras: [Text: JSON]
  /// Gives how long to wait before trying again; also sent as the `Retry-After` header.
  public let retryAfterMilliseconds: Int64?

  /// Makes an error for which there is no factory.
  public static func custom(
    status: Int, errcode: Text, message: Text, extras: [Text: JSON] = [:]
  ) -> MatrixError {
    MatrixError(status: status, errcode: errcode, message: message, extras: extras, retryAfterMilliseconds: nil)
  }

  init(
    status: Int, errcode: Text, message: Text, extras: [Text: JSON] = [:], retryAfterMilliseconds: Int64? = nil
  ) {
    self.status = status
    self.errcode = errcode
    self.message = message
    self.extras = extras
    self.retryAfterMilliseconds = retryAfterMilliseconds
  }

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

  /// Gives a text for logs.
  public var description: String { "\(status) \(errcode): \(message)" }
}
