import ByteText

/// One path that an endpoint answers, such as `/_matrix/client/v3/rooms/{roomID}/leave`.
///
/// A segment in braces captures one segment of the request's path, possibly an empty one (so `/state/m.room.name/`
/// has an empty state key, as on Synapse). A last segment `{name...}` captures all that remains, slashes included. Matching is
/// exact in every other respect: a trailing slash is another path.
public struct PathPattern: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// The kinds of segment.
  public enum Segment: Sendable, Hashable {
    /// Exactly this text, undecoded.
    case literal(Text)
    /// One segment, captured under this name.
    case parameter(Text)
    /// The rest of the path, captured under this name; only at the end.
    case rest(Text)
  }

  /// The segments behind the leading slash.
  public let segments: [Segment]

  /// Parses a pattern. The leading slash may be left out.
  ///
  /// - Parameter pattern: literal segments and `{name}` captures, divided by slashes.
  public init(_ pattern: Text) {
    let text = pattern.dropping(prefix: "/") ?? pattern
    segments = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { segment in
      guard segment.hasPrefix("{"), segment.hasSuffix("}") else { return .literal(segment) }
      let name = segment.dropFirst().dropLast()
      return name.dropping(suffix: "...").map { .rest($0) } ?? .parameter(name)
    }
  }

  /// Parses a pattern written as a literal.
  public init(stringLiteral value: String) {
    self.init(Text(value))
  }

  /// The pattern in the form that `init(_:)` reads.
  public var description: String {
    segments.map { segment -> Text in
      switch segment {
      case .literal(let text): "/" + text
      case .parameter(let name): "/{\(name)}"
      case .rest(let name): "/{\(name)...}"
      }
    }.joined().string
  }

  /// The names of the captures, in order.
  var parameterNames: [Text] {
    segments.compactMap { segment in
      switch segment {
      case .literal: nil
      case .parameter(let name), .rest(let name): name
      }
    }
  }

  /// Escapes what has a meaning in regular expressions.
  static func escape(_ text: Text) -> Text {
    var escaped: [UInt8] = []
    for byte in text.utf8 {
      if ".+*?()[]{}^$|\\".contains(byte) { escaped.append(UInt8(ascii: "\\")) }
      escaped.append(byte)
    }
    return Text(decoding: escaped, as: UTF8.self)
  }
}

extension PathPattern {
  /// A version segment of the client-server API.
  public struct ClientVersion: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The segment as in the path; may contain a slash.
    public let rawValue: Text

    /// Creates a version from its path segment, such as `unstable/org.matrix.msc3575`.
    public init(_ rawValue: Text) {
      self.rawValue = rawValue
    }

    /// Creates a version from a literal path segment.
    public init(stringLiteral value: String) {
      rawValue = Text(value)
    }

    /// `api/v1`, from before releases had names.
    public static let apiV1: ClientVersion = "api/v1"
    /// `r0`, the releases r0.0.0 to r0.6.1.
    public static let r0: ClientVersion = "r0"
    /// `v1`, of endpoints introduced since Matrix 1.1.
    public static let v1: ClientVersion = "v1"
    /// `v2`, where an endpoint had an earlier form.
    public static let v2: ClientVersion = "v2"
    /// `v3`, of the endpoints that had been `r0`.
    public static let v3: ClientVersion = "v3"
    /// `unstable`, without a vendor prefix, as Synapse keeps for old clients.
    public static let unstable: ClientVersion = "unstable"
  }
}
