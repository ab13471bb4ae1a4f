import MatrixPrimitives

/// The users whose invites a user wants: all or none (`m.invite_permission_config`), or as lists say (MSC4155).
struct InvitePermissions: Sendable {
  /// The type of the account data that says whether invites are wanted at all. Where it is, nothing else counts.
  ///
  /// https://spec.matrix.org/v1.18/client-server-api/#invite-permission
  static let stableType = "m.invite_permission_config"
  /// The type of the account data that has lists (MSC4155).
  static let type = "org.matrix.msc4155.invite_permission_config"

  /// Returns whether account data of ``stableType`` refuses all invites; what does not have the form refuses none.
  static func blocksAll(_ content: [UInt8]) -> Bool {
    // Account data is stored as it was checked; a broken row must not keep all invites away.
    (try? JSONValue.parse(content))?["default_action"]?.string == "block"
  }

  private let lists: [Text: [GlobPattern]]

  /// Reads account data; what does not have the form counts as absent.
  init(_ content: [UInt8]) {
    // Account data is stored as it was checked; a broken row must not keep all invites away.
    let value = try? JSONValue.parse(content)
    var lists: [Text: [GlobPattern]] = [:]
    for verb in ["allowed", "ignored", "blocked"] {
      for noun in ["users", "servers"] {
        let texts = value?["\(verb)_\(noun)"]?.elements?.compactMap(\.string) ?? []
        lists["\(verb)_\(noun)"] = texts.filter { !$0.isEmpty && $0.utf8.count <= 255 }.map { GlobPattern($0) }
      }
    }
    self.lists = lists
  }

  /// Returns whether an invite is to be refused: the first list that names the user decides, then the first that names
  /// the server.
  func blocks(_ inviter: UserID) -> Bool {
    for (noun, text) in [("users", inviter.rawValue), ("servers", inviter.serverName)] {
      let folded = FoldedText(text)
      for verb in ["allowed", "ignored", "blocked"]
      where lists["\(verb)_\(noun)"]?.contains(where: { $0.matches(folded) }) == true {
        return verb == "blocked"
      }
    }
    return false
  }
}
