/// The reason in one line, for the administrator, why a process did not start.
public struct StartError: Error, CustomStringConvertible {
  /// The line.
  public let description: String

  /// Creates the error from one line without a full stop.
  public init(_ description: String) {
    self.description = description
  }
}
