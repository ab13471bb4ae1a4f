import MatrixPrimitives

/// The rules of which the first that matches decides whether somebody may create an alias or list a room.
public struct DirectoryRules: Sendable, Hashable {
  /// A match of users, rooms and aliases by patterns in which `*` stands for any text and `?` for any character.
  public struct Rule: Sendable, Hashable {
    /// The pattern for the user.
    public var userID: Text
    /// The pattern for the room.
    public var roomID: Text
    /// The pattern for one of the aliases.
    public var alias: Text
    /// Whether the rule allows rather than denies.
    public var allows: Bool

    static let allowAll = Rule(userID: "*", roomID: "*", alias: "*", allows: true)
  }

  /// The rules in the order in which they are tried.
  public var rules: [Rule]

  init(_ root: SettingsSection, _ key: Text, standard: [Rule]) throws(ConfigError) {
    guard root.has(key) else {
      rules = standard
      return
    }
    rules = []
    for section in try root.sections(key) {
      guard let action = section.node("action") else {
        throw section.fail("action", "is missing, expected allow or deny")
      }
      guard action.string == "allow" || action.string == "deny" else {
        throw section.fail("action", action, expected: "allow or deny")
      }
      rules.append(
        Rule(
          userID: try section.string("user_id") ?? "*", roomID: try section.string("room_id") ?? "*",
          alias: try section.string("alias") ?? "*", allows: action.string == "allow"))
    }
  }

  /// Returns whether the first rule that matches allows it; without a match it is denied.
  public func allows(userID: UserID, roomID: RoomID, aliases: [RoomAlias]) -> Bool {
    for rule in rules
    where Glob.matches(userID.rawValue, rule.userID) && Glob.matches(roomID.rawValue, rule.roomID)
      && (rule.alias == "*" || aliases.contains { Glob.matches($0.rawValue, rule.alias) })
    {
      return rule.allows
    }
    return false
  }
}

/// Patterns with `*` and `?`, matched without regard to case as Synapse does; unlike in ``GlobPattern`` a line break is
/// a character as any other, so that no alias evades a rule by one.
public enum Glob {
  /// Returns whether the whole text matches. Takes time in proportion to the product of the lengths at worst.
  public static func matches(_ text: Text, _ pattern: Text) -> Bool {
    let text = FoldedText(text).scalars, pattern = FoldedText(pattern).scalars
    var position = 0, place = 0
    var star: Int?, restart = 0
    while position < text.count {
      if place < pattern.count, pattern[place] == "*" {
        star = place
        restart = position
        place += 1
      } else if place < pattern.count, pattern[place] == "?" || pattern[place] == text[position] {
        place += 1
        position += 1
      } else if let star {
        place = star + 1
        restart += 1
        position = restart
      } else {
        return false
      }
    }
    return pattern[place...].allSatisfy { $0 == "*" }
  }
}
