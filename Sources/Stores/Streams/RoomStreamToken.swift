import ByteText

/// A point between two events: in the order of arrival (live), or in a room's history (depth first).
///
/// Wire forms, as Synapse's: `s<position>` live, `m<minimum>~<instance id>.<position>…` live with several writers, and
/// `t<depth>-<position>` in history.
public struct RoomStreamToken: Hashable, Sendable {
  /// The depth of the event before the point; nil for live tokens.
  public let topological: Int64?
  /// The stream ordering of the event before the point, per writer.
  public let position: MultiWriterToken

  /// Makes a live token.
  public init(_ position: MultiWriterToken) {
    self.topological = nil
    self.position = position
  }

  /// Makes a live token that all writers have reached.
  public init(stream: Int64) { self.init(MultiWriterToken(stream: stream)) }

  /// Makes a token in a room's history: just after the event with this depth and stream ordering.
  public init(topological: Int64?, stream: Int64) {
    self.topological = topological
    self.position = MultiWriterToken(stream: stream)
  }

  /// The minimal stream position.
  public var stream: Int64 { position.stream }

  /// Reads the wire form.
  ///
  /// - Returns: nil when the text is not a token.
  /// - Throws: what the directory throws when it cannot be read.
  public static func parse(_ text: Text, directory: some InstanceDirectory) async throws -> RoomStreamToken? {
    let rest = text.dropFirst()
    switch text.utf8.first {
    case UInt8(ascii: "s"): return TokenInteger.parse(rest).map { RoomStreamToken(stream: $0) }
    case UInt8(ascii: "m"): return try await MultiWriterToken.parseVector(rest, directory: directory).map(Self.init)
    case UInt8(ascii: "t"):
      // The first number may be negative, too.
      guard let dash = rest.utf8.dropFirst().firstIndex(of: UInt8(ascii: "-")),
        let depth = TokenInteger.parse(Text(rest.utf8[..<dash])),
        let stream = TokenInteger.parse(Text(rest.utf8[dash...].dropFirst()))
      else { return nil }
      return RoomStreamToken(topological: depth, stream: stream)
    default: return nil
    }
  }

  /// Writes the wire form.
  public func text(directory: some InstanceDirectory) async throws -> Text {
    if let topological { return "t\(topological)-\(position.stream)" }
    return position.ahead.isEmpty ? "s\(position.stream)" : try await position.vectorText(directory: directory)
  }
}
