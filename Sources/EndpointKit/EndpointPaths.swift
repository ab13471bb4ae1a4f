import ByteText

/// The paths of one endpoint.
public struct EndpointPaths: Sendable, ExpressibleByStringLiteral, ExpressibleByArrayLiteral {
  /// Every path, in the order of declaration.
  public let patterns: [PathPattern]

  /// Lists paths.
  public init(_ patterns: [PathPattern]) { self.patterns = patterns }

  /// Takes one path, written as a literal.
  public init(stringLiteral value: String) { patterns = [PathPattern(Text(value))] }

  /// Lists paths, written as literals.
  public init(arrayLiteral elements: PathPattern...) { patterns = elements }

  /// Joins paths under which the same operation answers.
  public static func + (left: EndpointPaths, right: EndpointPaths) -> EndpointPaths {
    EndpointPaths(left.patterns + right.patterns)
  }

  /// Makes the paths of a client-server endpoint, one for each version.
  ///
  /// - Parameters:
  ///   - path: what follows the version, such as `rooms/{roomID}/leave`.
  ///   - versions: the version segments under which the endpoint answers.
  public static func client(_ path: Text, _ versions: [PathPattern.ClientVersion]) -> EndpointPaths {
    EndpointPaths(versions.map { PathPattern("/_matrix/client/\($0.rawValue)/\(path)") })
  }

  /// Makes the path of an endpoint of Synapse's admin API, such as `v2/users/{userID}`.
  public static func admin(_ path: Text) -> EndpointPaths {
    EndpointPaths([PathPattern("/_synapse/admin/\(path)")])
  }

  /// Makes the path of an endpoint that only other processes of the cluster call, such as `send_events/{txnID}`.
  public static func replication(_ path: Text) -> EndpointPaths {
    EndpointPaths([PathPattern("/_synapse/replication/\(path)")])
  }
}

extension [PathPattern.ClientVersion] {
  /// The versions of endpoints since releases have names, and the alias that Synapse keeps for old clients.
  public static let released: [PathPattern.ClientVersion] = [.r0, .v3, .unstable]
  /// The same for endpoints that are old enough to have been `api/v1`.
  public static let sinceV1: [PathPattern.ClientVersion] = [.apiV1, .r0, .v3, .unstable]
}
