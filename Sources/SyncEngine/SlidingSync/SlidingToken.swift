import MatrixPrimitives
import Stores

/// The token of a sliding sync: a position of the connection and a point in all streams, as `5/s2633508_17_338_…`.
public struct SlidingToken: Sendable, Hashable {
  /// The position of the connection; 0 when nothing was stored of it.
  public var position: Int64
  /// The point in the streams.
  public var streams: StreamToken

  /// Makes a token.
  public init(position: Int64, streams: StreamToken) {
    self.position = position
    self.streams = streams
  }

  /// Reads the wire form.
  ///
  /// - Throws: `MatrixError` 400 when the text is no token.
  static func parse(_ text: Text, directory: some InstanceDirectory) async throws -> SlidingToken {
    let parts = text.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].utf8.count <= 20, let position = Int64(parts[0]),
      let streams = try await StreamToken.parse(parts[1], directory: directory), streams.room.topological == nil
    else { throw MatrixError.unknown("Invalid stream token", status: 400) }
    return SlidingToken(position: position, streams: streams)
  }

  /// Writes the wire form.
  func text(directory: some InstanceDirectory) async throws -> Text {
    "\(position)/\(try await streams.text(directory: directory))"
  }
}
