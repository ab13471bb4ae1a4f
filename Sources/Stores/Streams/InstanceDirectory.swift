import ByteText

/// Translates between the names of writers and the numbers that stand for them in tokens (table `instance_map`).
public protocol InstanceDirectory: Sendable {
  /// Returns the number of a writer, giving it one when it has none yet.
  func instanceID(forName name: Text) async throws -> Int64
  /// Returns the writer with a number, or nil when there is none.
  func instanceName(forID id: Int64) async throws -> Text?
}
