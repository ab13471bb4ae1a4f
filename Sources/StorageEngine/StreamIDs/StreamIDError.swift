import ByteText

/// The reason why ids of a stream cannot be handed out.
public struct StreamIDError: Error, Sendable, Hashable, CustomStringConvertible {
  private let message: Text

  /// A sentence for the log.
  public var description: String { message.string }

  static func notAWriter(_ sequence: Text, _ instance: Text) -> StreamIDError {
    StreamIDError(message: "\(instance) is not configured as a writer of the stream of \(sequence)")
  }

  static func behindPositions(_ stream: Text, _ sequence: Text, _ position: Int64, _ last: Int64) -> StreamIDError {
    StreamIDError(
      message: """
        The table stream_positions says that the stream \(stream) has reached \(position), but the sequence \(sequence) has \
        only handed out ids up to \(last). The database was restored or changed by hand. With all processes stopped, run: \
        SELECT setval('\(sequence)', \(position));
        """)
  }

  static func badCount(_ count: Int) -> StreamIDError {
    StreamIDError(message: "\(count) ids were asked for; 0 to \(StreamIDGenerator.largestCount) can be")
  }

  static func incomplete(_ sequence: Text) -> StreamIDError {
    StreamIDError(message: "the sequence \(sequence) handed out fewer ids than it was asked for")
  }
}
