import MatrixPrimitives

/// The reason why JSON is not an acceptable event, or why an event could not be built.
public struct EventError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds of failure.
  public enum Code: Hashable, Sendable {
    /// A field is missing or has the wrong type or an impossible value.
    case malformed
    /// The event or one of its ids is larger than allowed.
    case tooLarge
    /// The event has no canonical form.
    case notCanonical
    /// A signature is missing or wrong.
    case badSignature
    /// The content hash does not fit the event.
    case badHash
    /// The room version's rules are not implemented for this.
    case unsupported
  }

  /// The kind of failure.
  public let code: Code
  /// What is wrong, for logs and for clients.
  public let message: Text

  /// Creates an error.
  public init(_ code: Code, _ message: Text) {
    self.code = code
    self.message = message
  }

  init(_ error: JSONError) {
    self.init(.notCanonical, "The event has no canonical JSON form: \(error)")
  }

  /// A text for logs.
  public var description: String { message.string }

  /// The error a client sees that tried to send such an event.
  public var matrixError: MatrixError {
    switch code {
    case .tooLarge: .tooLarge(message)
    case .malformed, .notCanonical, .badHash: .badJSON(message)
    case .badSignature: .forbidden(message)
    case .unsupported: .unsupportedRoomVersion(message)
    }
  }
}
