import MatrixPrimitives

/// Tells why an event is not allowed by the auth rules.
public struct AuthError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Tells the reason in words meant for the sender.
  public let message: Text

  /// Creates an error.
  public init(_ message: Text) { self.message = message }

  /// Gives a text for logs.
  public var description: String { message.string }

  /// Gives the 403 a client gets whose event is refused.
  public var matrixError: MatrixError { .forbidden(message) }
}
