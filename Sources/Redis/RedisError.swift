import ByteText

/// A failure of a Redis connection.
public struct RedisError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kinds of failure.
  public enum Code: Text, Sendable {
    /// There is no connection, or it was lost before the reply came.
    case notConnected
    /// The server sent what is not RESP2, or more than is accepted.
    case protocolViolation
    /// The server answered with an error.
    case serverError
    /// The server stayed silent.
    case unresponsive
    /// More commands wait for replies than are allowed.
    case overloaded
  }

  /// The kind of failure.
  public let code: Code
  /// The description of the failure for the log.
  public let message: Text

  /// Makes an error.
  /// - Parameters:
  ///   - code: kind of failure.
  ///   - message: one line for the log.
  public init(_ code: Code, _ message: Text) {
    self.code = code
    self.message = message
  }

  /// The text `code: message`.
  public var description: String { "\(code.rawValue): \(message)" }
}
