import ByteText

/// The error that the database does not hold what the schema promises; a client sees it as an internal error.
public struct StoreError: Error, CustomStringConvertible, Sendable {
  /// What is wrong, for the log.
  public let description: String

  /// Makes an error with a description for the log.
  public init(_ description: Text) { self.description = description.string }

  /// Makes the error of a statement that must return a row and did not.
  public static func missingRow(_ table: Text) -> StoreError { StoreError("no row came back from \(table)") }
}
