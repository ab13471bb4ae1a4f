import MatrixPrimitives

/// A call that this process answers, of whatever type. Services list theirs; the composition mounts the lists.
public struct ServedCall: Sendable {
  /// The first path segment after `/_synapse/replication/`.
  public let name: Text
  /// The names of the path segments that follow, in order.
  public let argumentNames: [Text]
  /// Whether the path ends in a transaction id, under which the answer is kept.
  public let isCached: Bool
  /// Whether only the main process has the endpoint.
  public let isServedByMainOnly: Bool
  /// Carries the call out.
  ///
  /// - Returns: the answer, a JSON object.
  /// - Throws: `MatrixError` 400 when the call does not have its form, and what carrying it out throws.
  public let answer: @Sendable (_ arguments: CallArguments, _ body: JSONValue) async throws -> [UInt8]

  /// Serves a type of calls.
  /// - Parameters:
  ///   - type: the type.
  ///   - body: carries a call out.
  public init<Call: ReplicationCall>(
    _ type: Call.Type, _ body: @escaping @Sendable (Call) async throws -> Call.Answer
  ) {
    name = Call.name
    argumentNames = Call.argumentNames
    isCached = Call.isCached
    isServedByMainOnly = Call.isServedByMainOnly
    answer = { arguments, json in
      let answer = try await body(try Call(arguments: arguments, body: json))
      var writer = JSONWriter(capacity: 64)
      writer.beginObject()
      answer.writeMembers(to: &writer)
      writer.endObject()
      return writer.bytes
    }
  }
}
