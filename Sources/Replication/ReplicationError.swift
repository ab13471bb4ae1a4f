import ByteText

/// The reason why a line, row or call of the replication protocol could not be used.
public struct ReplicationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kinds of failure a caller may want to tell apart.
  public enum Code: Text, Sendable {
    /// The line is not a well-formed command, or a field of it has the wrong form.
    case malformedCommand
    /// The row does not have the shape its stream prescribes.
    case malformedRow
    /// A field holds a character that cannot travel in a line (white space, newline).
    case unsendable
    /// The instance is not in `instance_map`.
    case unknownInstance
    /// A catch-up made no progress although it claimed that more rows exist.
    case stalledCatchUp
    /// The answer of another process is not what its endpoint promises.
    case unexpectedAnswer
  }

  /// The kind of failure.
  public let code: Code
  /// The description of the failure for the log; never contains a whole payload.
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
