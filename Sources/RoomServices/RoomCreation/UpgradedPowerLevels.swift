import MatrixPrimitives

/// The power levels of a room that is replaced, in the forms in which both rooms get them.
struct UpgradedPowerLevels {
  /// The content with all numbers as integers.
  let content: [Text: JSON]

  /// Takes the content of the old room's event. Levels may be written as texts in old rooms; what is no level is left out.
  ///
  /// - Parameter creators: the users who stood above all levels and do so no more: they get the greatest one, so that somebody has power in
  ///   the new room.
  init(_ content: JSONValue, creators: [UserID] = []) {
    var levels: [Text: JSON] = [:]
    for (key, value) in content.json.members ?? [:] {
      if let members = value.members {
        levels[key] = .object(members.compactMapValues(Self.level))
      } else if let level = Self.level(value) {
        levels[key] = level
      }
    }
    guard !creators.isEmpty else {
      self.content = levels
      return
    }
    let greatest = max(100, levels["events"]?.members?.values.compactMap(\.integer).max() ?? 0)
    var users = levels["users"]?.members ?? [:]
    for creator in creators { users[creator.rawValue] = .integer(greatest) }
    levels["users"] = .object(users)
    self.content = levels
  }

  private static func level(_ value: JSON) -> JSON? {
    switch value {
    case .integer: value
    case .string(let text): Int64(text.trimmed).map { .integer($0) }
    default: nil
    }
  }

  private func level(_ key: Text, default standard: Int64) -> Int64 { content[key]?.integer ?? standard }

  /// The content for the new room at last.
  ///
  /// - Parameter creators: the creators of a room whose creators may not be in the list.
  func final(without creators: [UserID]) -> [Text: JSON] {
    var levels = content
    guard var users = levels["users"]?.members else { return levels }
    for creator in creators { users[creator.rawValue] = nil }
    levels["users"] = .object(users)
    return levels
  }

  /// The content with which the new room begins: whoever upgrades it may send all that is carried over.
  func initial(for user: UserID, without creators: [UserID]) -> [Text: JSON] {
    let ofEvents = content["events"]?.members?.values.compactMap(\.integer).max() ?? 0
    let needed = max(level("state_default", default: 50), level("ban", default: 50), ofEvents)
    var users = content["users"]?.members ?? [:]
    if (users[user.rawValue]?.integer ?? level("users_default", default: 0)) < needed {
      users[user.rawValue] = .integer(needed)
    }
    var levels = content
    for creator in creators { users[creator.rawValue] = nil }
    levels["users"] = .object(users)
    return levels
  }

  /// The content by which the old room falls silent: only moderators speak and invite; nil when it is so already.
  var silenced: [Text: JSON]? {
    let (next, overflows) = level("users_default", default: 0).addingReportingOverflow(1)
    guard !overflows else { return nil }
    let needed = max(next, 50)
    var levels = content
    for key in ["invite", "events_default"] as [Text] where level(key, default: 0) < needed {
      levels[key] = .integer(needed)
    }
    return levels == content ? nil : levels
  }
}
