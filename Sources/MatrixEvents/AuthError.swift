import MatrixPrimitives

/// The reason why the auth rules do not allow an event.
public struct AuthError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The reason in words meant for the sender.
  public let message: Text

  /// Creates an error.
  public init(_ message: Text) { self.message = message }

  /// A text for logs.
  public var description: String { message.string }

  /// The 403 a client gets whose event is refused.
  public var matrixError: MatrixError { .forbidden(message) }
}
