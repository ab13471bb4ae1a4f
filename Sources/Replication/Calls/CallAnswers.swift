import MatrixPrimitives

/// The answer `{}`.
public struct EmptyAnswer: ReplicationAnswer {
  /// Makes the answer.
  public init() {}

  /// Makes the answer whatever else it holds.
  public init(answer: JSONValue) {}

  /// Writes nothing.
  public func writeMembers(to writer: inout JSONWriter) {}
}

/// The answer `{"max_stream_id": 7}`: a position of the stream at which what the call changed can be read.
public struct StreamIDAnswer: ReplicationAnswer {
  /// The position.
  public let streamID: Int64

  /// Takes the position.
  public init(_ streamID: Int64) { self.streamID = streamID }

  /// Reads the position.
  public init(answer: JSONValue) throws(MatrixError) { streamID = try answer.requireInteger("max_stream_id") }

  /// Writes the position.
  public func writeMembers(to writer: inout JSONWriter) { writer.member("max_stream_id", streamID) }
}
