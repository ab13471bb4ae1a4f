import MatrixPrimitives

/// Evaluates push rules over one event for any number of users.
///
/// What does not differ between users, above all the server's own rules, is worked out once when the evaluator is made.
public struct PushRuleEvaluator: Sendable {
  /// What remains of a server's rule once the event is known.
  private enum Remainder {
    case never
    case always
    case ifUser([PushCondition])
  }

  /// The rules that clients with intentional mentions make obsolete: they do not count for events that have `m.mentions`.
  private static let legacyMentionRules: Set<String> = [
    "global/override/.m.rule.contains_display_name", "global/content/.m.rule.contains_user_name",
    "global/override/.m.rule.roomnotif",
  ]

  private let event: Event
  private let body: FoldedText?
  private let words: WordIndex?
  private let memberCount: Int64
  private let senderLevel: Int64?
  private let powerLevels: PowerLevels
  private var remainders: [Remainder] = []

  /// Prepares an event.
  /// - Parameters:
  ///   - event: the event.
  ///   - roomMemberCount: how many users are joined.
  ///   - powerLevels: the levels in the state before the event; nil means that the sender may not notify the room.
  public init(event: Event, roomMemberCount: Int, powerLevels: PowerLevels?) {
    self.event = event
    body = event.content["body"]?.string.map { FoldedText($0) }
    words = body.map { WordIndex($0) }
    memberCount = Int64(roomMemberCount)
    senderLevel = powerLevels?.level(of: event.sender)
    self.powerLevels = powerLevels ?? PowerLevels(create: nil, powerLevels: nil)
    let hasMentions = event.content["m.mentions"] != nil
    remainders = PushRules.defaultRules.map { rule in
      hasMentions && Self.legacyMentionRules.contains(rule.ruleID) ? .never : remainder(of: rule)
    }
  }

  private func remainder(of rule: PushRule) -> Remainder {
    guard rule.conditions.allSatisfy({ $0.dependsOnUser || holds($0, user: nil, displayName: nil) })
    else { return .never }
    let open = rule.conditions.filter(\.dependsOnUser)
    return open.isEmpty ? .always : .ifUser(open)
  }

  /// Finds what the first matching rule of a user wants.
  ///
  /// Events are not pushed to their own sender; that is for the caller to leave out.
  /// - Parameters:
  ///   - rules: the user's rules.
  ///   - user: the user.
  ///   - displayName: the user's display name in the room.
  /// - Returns: nil if no rule matches.
  public func evaluate(_ rules: PushRules, for user: UserID, displayName: String?) -> PushOutcome? {
    func holdsForUser(_ condition: PushCondition) -> Bool {
      holds(condition, user: user, displayName: displayName)
    }
    for slot in rules.active {
      switch slot {
      case .standard(let index):
        switch remainders[index] {
        case .never: continue
        case .always: return rules.standardRules[index].outcome
        case .ifUser(let conditions):
          if conditions.allSatisfy(holdsForUser) { return rules.standardRules[index].outcome }
        }
      case .own(let index):
        if rules.ownRules[index].conditions.allSatisfy(holdsForUser) { return rules.ownRules[index].outcome }
      }
    }
    return nil
  }

  private func holds(_ condition: PushCondition, user: UserID?, displayName: String?) -> Bool {
    switch condition.test {
    case .matches(let path, let pattern):
      return text(at: path).map { pattern.matches(FoldedText($0)) } ?? false
    case .bodyMatches(let pattern):
      return body.map { pattern.matchesWords(of: $0) } ?? false
    case .isUserID(let path):
      return user.flatMap { user in text(at: path).map { ByteOrder.areEqual($0, user.rawValue) } } ?? false
    case .bodyHasLocalpart:
      return user.flatMap { words?.contains($0.localpart) } ?? false
    case .propertyIs(let path, let wanted):
      return path.value(in: event).map { $0.json == wanted } ?? false
    case .propertyContains(let path, let wanted):
      return path.value(in: event)?.elements?.contains { $0.json == wanted } ?? false
    case .propertyContainsUserID(let path):
      return path.value(in: event)?.elements?.contains { $0.isString(user?.rawValue ?? "") } ?? false
    case .containsDisplayName:
      guard let displayName, !displayName.isEmpty else { return false }
      return words?.contains(displayName) ?? false
    case .memberCount(let comparison, let count):
      return Self.compare(memberCount, comparison, count)
    case .senderMayNotify(let key):
      return senderLevel.map { $0 >= powerLevels.notification(key) } ?? false
    case .never: return false
    }
  }

  private func text(at path: EventPath) -> String? {
    // The create event of a room whose id is its hash does not spell the id out.
    if path.components == ["room_id"] { return event.roomID.rawValue }
    return path.value(in: event)?.string
  }

  private static func compare(_ count: Int64, _ comparison: PushCondition.Comparison, _ limit: Int64) -> Bool {
    switch comparison {
    case .equal: count == limit
    case .less: count < limit
    case .greater: count > limit
    case .atMost: count <= limit
    case .atLeast: count >= limit
    }
  }
}
