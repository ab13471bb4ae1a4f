/// Describes one path that an endpoint answers, such as `/_matrix/client/v3/rooms/{roomID}/leave`.
///
/// A segment in braces captures one segment of the request's path, possibly an empty one (so `/state/m.room.name/`
/// has an empty state key, as on Synapse). A last segment `{name...}` captures all that remains, slashes included. Matching is
/// exact in every other respect: a trailing slash is another path.
public struct PathPattern: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// Tells the kinds of segment apart.
  public enum Segment: Sendable, Hashable {
    /// Matches exactly this text, undecoded.
    case literal(String)
    /// Captures one segment under this name.
    case parameter(String)
    /// Captures the rest of the path under this name; only at the end.
    case rest(String)
  }

  /// Lists the segments behind the leading slash.
  public let segments: [Segment]

  /// Parses a pattern. The leading slash may be left out.
  ///
  /// - Parameter pattern: literal segments and `{name}` captures, divided by slashes.
  public init(_ pattern: String) {
    let text = pattern.hasPrefix("/") ? pattern.dropFirst() : Substring(pattern)
    segments = text.split(separator: "/", omittingEmptySubsequences: false).map { segment in
      guard segment.hasPrefix("{"), segment.hasSuffix("}") else { return .literal(String(segment)) }
      let name = segment.dropFirst().dropLast()
      return name.hasSuffix("...") ? .rest(String(name.dropLast(3))) : .parameter(String(name))
    }
  }

  /// Parses a pattern written as a literal.
  public init(stringLiteral value: String) {
    self.init(value)
  }

  /// Writes the pattern in the form that `init(_:)` reads.
  public var description: String {
    segments.map { segment in
      switch segment {
      case .literal(let text): "/" + text
      case .parameter(let name): "/{\(name)}"
      case .rest(let name): "/{\(name)...}"
      }
    }.joined()
  }

  /// Lists the names of the captures, in order.
  var parameterNames: [String] {
    segments.compactMap { segment in
      switch segment {
      case .literal: nil
      case .parameter(let name), .rest(let name): name
      }
    }
  }

  /// Escapes what has a meaning in regular expressions.
  static func escape(_ text: String) -> String {
    var escaped = ""
    for character in text {
      if ".+*?()[]{}^$|\\".contains(character) { escaped.append("\\") }
      escaped.append(character)
    }
    return escaped
  }
}

extension PathPattern {
  /// Names a version segment of the client-server API.
  public struct ClientVersion: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The segment as it stands in the path; may hold a slash.
    public let rawValue: String

    /// Names a version by its path segment, such as `unstable/org.matrix.msc3575`.
    public init(_ rawValue: String) {
      self.rawValue = rawValue
    }

    /// Names a version by a literal path segment.
    public init(stringLiteral value: String) {
      rawValue = value
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

  /// Makes the paths of a client-server endpoint, one for each version.
  ///
  /// - Parameters:
  ///   - path: what follows the version, such as `rooms/{roomID}/leave`.
  ///   - versions: the version segments under which the endpoint answers.
  public static func client(_ path: String, versions: [ClientVersion] = [.r0, .v3]) -> [PathPattern] {
    versions.map { PathPattern("/_matrix/client/\($0.rawValue)/\(path)") }
  }

  /// Makes the path of an endpoint of Synapse's admin API, such as `v2/users/{userID}`.
  public static func admin(_ path: String) -> [PathPattern] {
    [PathPattern("/_synapse/admin/\(path)")]
  }

  /// Makes the path of an endpoint that only other processes of the cluster call, such as `send_events/{txnID}`.
  public static func replication(_ path: String) -> [PathPattern] {
    [PathPattern("/_synapse/replication/\(path)")]
  }
}
