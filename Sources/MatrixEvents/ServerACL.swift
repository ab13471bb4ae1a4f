import MatrixPrimitives

/// The servers that may take part in a room, by its `m.room.server_acl` state.
///
/// Source: the client-server API's "Server Access Control Lists". Names are compared with and without their port: the specification
/// wants them without, Synapse with, and a server denied either way stays out.
public struct ServerACL: Sendable {
  private let allowsIPLiterals: Bool
  private let allowed: [GlobPattern]
  private let denied: [GlobPattern]

  /// Reads the lists; entries that are no strings do not count, a missing `allow` allows no server.
  public init(content: JSONValue) {
    allowsIPLiterals = content["allow_ip_literals"]?.bool ?? true
    allowed = Self.patterns(content["allow"])
    denied = Self.patterns(content["deny"])
  }

  private static func patterns(_ list: JSONValue?) -> [GlobPattern] {
    list?.elements?.compactMap { $0.string.map { GlobPattern($0) } } ?? []
  }

  /// Returns whether a server may take part.
  public func allows(_ serverName: Text) -> Bool {
    let parsed = ServerName(serverName)
    if !allowsIPLiterals, parsed?.isIPLiteral ?? (serverName.utf8.first == UInt8(ascii: "[")) { return false }
    let forms = [FoldedText(serverName), FoldedText(parsed?.host ?? serverName)]
    if denied.contains(where: { pattern in forms.contains { pattern.matches($0) } }) { return false }
    return allowed.contains { pattern in forms.contains { pattern.matches($0) } }
  }
}
