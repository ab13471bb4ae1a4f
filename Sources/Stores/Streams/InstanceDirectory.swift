import ByteText

/// The numbers that stand for the names of writers in tokens (table `instance_map`).
public protocol InstanceDirectory: Sendable {
  /// Returns the number of a writer, giving it one when it has none yet.
  func instanceID(forName name: Text) async throws -> Int64
  /// Returns the writer with a number, or nil when there is none.
  func instanceName(forID id: Int64) async throws -> Text?
}
