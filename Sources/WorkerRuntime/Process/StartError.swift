/// The reason in one line, for the administrator, why a process did not start.
package struct StartError: Error, CustomStringConvertible {
  /// The line.
  package let description: String

  /// Creates the error from one line without a full stop.
  package init(_ description: String) {
    self.description = description
  }
}
