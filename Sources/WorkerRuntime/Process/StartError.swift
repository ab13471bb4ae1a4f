/// Tells the administrator in one line why a process did not start.
public struct StartError: Error, CustomStringConvertible {
  /// The line.
  public let description: String

  /// Says why in one line, without a full stop.
  public init(_ description: String) {
    self.description = description
  }
}
