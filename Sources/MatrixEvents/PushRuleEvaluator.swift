import MatrixPrimitives

/// The evaluation of push rules over one event for any number of users.
///
/// What does not differ between users, above all the server's own rules, is worked out once when the evaluator is made.
public struct PushRuleEvaluator: Sendable {
  /// What remains of a server's rule once the event is known.
  private enum Remainder {
    case never
    case always
    case ifUser([UserTest])
  }

  /// What remains of a condition that tells users apart.
  private enum UserTest {
    case isUser(Text)
    case isAmong(Set<Text>)
    case hasLocalpartInBody
    case hasNameInBody
    case isFollowing(Bool)
  }

  /// One of the server's rules that may match, for users who never changed any.
  private struct Step {
    /// What the user must be, all of it.
    let tests: [UserTest]
    let outcome: PushOutcome
  }

  /// The rules that clients with intentional mentions make obsolete: they do not count for events that have `m.mentions`.
  private static let legacyMentionRules: Set<Text> = [
    "global/override/.m.rule.contains_display_name", "global/content/.m.rule.contains_user_name",
    "global/override/.m.rule.roomnotif",
  ]

  /// The limit on the part of an event that the rules that a user made may look at together, in characters. A rule
  /// beyond that does not match: ten thousand rules, each for some word, are tried on messages of usual length, and on
  /// one of 64 KB a few hundred.
  static let workForOwnRules = 4_000_000

  private let event: Event
  private let words: WordIndex?
  private let memberCount: Int64
  private let senderLevel: Int64?
  private let powerLevels: PowerLevels
  /// Who follows the thread that the event is in; nil outside of threads, and where users cannot follow any.
  private let threadFollowers: Set<UserID>?
  private var remainders: [Remainder] = []
  /// The server's rules in the order in which they are tried, up to the first that matches everybody.
  private var steps: [Step] = []

  /// Prepares an event.
  /// - Parameters:
  ///   - event: the event.
  ///   - roomMemberCount: how many users are joined.
  ///   - powerLevels: the levels in the state before the event; nil means that the sender may not notify the room.
  ///   - threadFollowers: who follows the thread that the event is in; nil if it is in none.
  public init(
    event: Event, roomMemberCount: Int, powerLevels: PowerLevels?, threadFollowers: Set<UserID>? = nil
  ) {
    self.threadFollowers = threadFollowers
    self.event = event
    words = event.content["body"]?.string.map { WordIndex(FoldedText($0)) }
    memberCount = Int64(roomMemberCount)
    senderLevel = powerLevels?.level(of: event.sender)
    self.powerLevels = powerLevels ?? PowerLevels(create: nil, powerLevels: nil)
    let hasMentions = event.content["m.mentions"] != nil
    remainders = PushRules.defaultRules.map { rule in
      hasMentions && Self.legacyMentionRules.contains(rule.ruleID) ? .never : remainder(of: rule)
    }
    steps = stepsOfDefaults()
  }

  private func stepsOfDefaults() -> [Step] {
    var steps: [Step] = []
    let defaults = threadFollowers == nil ? PushRules.defaults : PushRules.threadDefaults
    for case .standard(let index) in defaults.active {
      let outcome = PushRules.defaultRules[index].outcome
      switch remainders[index] {
      case .never: continue
      case .ifUser(let tests): steps.append(Step(tests: tests, outcome: outcome))
      case .always: return steps + [Step(tests: [], outcome: outcome)]
      }
    }
    return steps
  }

  private func remainder(of rule: PushRule) -> Remainder {
    guard rule.conditions.allSatisfy({ $0.dependsOnUser || holds($0, user: nil, displayName: nil) })
    else { return .never }
    var tests: [UserTest] = []
    for condition in rule.conditions where condition.dependsOnUser {
      guard let test = userTest(of: condition) else { return .never }
      tests.append(test)
    }
    return tests.isEmpty ? .always : .ifUser(tests)
  }

  /// Returns what a user must be for a condition to hold; nil if it holds for nobody.
  private func userTest(of condition: PushCondition) -> UserTest? {
    switch condition.test {
    case .isUserID(let path): text(at: path).map { .isUser($0) }
    case .propertyContainsUserID(let path):
      path.value(in: event)?.elements.map { .isAmong(Set($0.compactMap(\.string))) }
    case .bodyHasLocalpart: words == nil ? nil : .hasLocalpartInBody
    case .containsDisplayName: words == nil ? nil : .hasNameInBody
    case .isFollowing(let wanted): threadFollowers == nil ? nil : .isFollowing(wanted)
    default: nil
    }
  }

  /// Finds what the first matching rule of a user wants.
  ///
  /// Events are not pushed to their own sender; that is for the caller to leave out.
  /// - Parameters:
  ///   - rules: the user's rules.
  ///   - user: the user.
  ///   - displayName: the user's display name in the room; asked for only if it matters.
  /// - Returns: nil if no rule matches.
  public func evaluate(
    _ rules: PushRules, for user: UserID, displayName: @autoclosure () -> Text?
  ) -> PushOutcome? {
    func passes(_ test: UserTest) -> Bool {
      switch test {
      case .isUser(let id): id == user.rawValue
      case .isAmong(let ids): ids.contains(user.rawValue)
      case .hasLocalpartInBody: words?.contains(user.localpart) ?? false
      case .hasNameInBody: isInBody(displayName())
      case .isFollowing(let wanted): isFollowing(user) == wanted
      }
    }
    var remainingWork = Self.workForOwnRules
    func holdsForUser(_ condition: PushCondition) -> Bool {
      remainingWork -= work(for: condition, user: user, displayName: displayName())
      return remainingWork >= 0 && holds(condition, user: user, displayName: displayName())
    }
    if rules.areDefaults { return steps.first { $0.tests.allSatisfy(passes) }?.outcome }
    for slot in rules.active {
      switch slot {
      case .standard(let index):
        switch remainders[index] {
        case .never: continue
        case .always: return rules.standardRules[index].outcome
        case .ifUser(let tests):
          if tests.allSatisfy(passes) { return rules.standardRules[index].outcome }
        }
      case .own(let index):
        if rules.ownRules[index].conditions.allSatisfy(holdsForUser) { return rules.ownRules[index].outcome }
      }
    }
    return nil
  }

  /// Bounds what checking a condition costs, in characters looked at.
  private func work(for condition: PushCondition, user: UserID, displayName: @autoclosure () -> Text?) -> Int {
    switch condition.test {
    case .bodyMatches(let pattern): words?.work(for: pattern) ?? 1
    case .matches(let path, let pattern): pattern.work(length: size(at: path))
    case .isUserID(let path), .propertyIs(let path, _), .propertyContains(let path, _),
      .propertyContainsUserID(let path):
      size(at: path)
    case .bodyHasLocalpart: words?.work(for: user.localpart) ?? 1
    case .containsDisplayName: displayName().flatMap { words?.work(for: $0) } ?? 1
    case .memberCount, .senderMayNotify, .isFollowing, .never: 1
    }
  }

  /// Bounds the size of what is at a path: identifiers are short, and of the content little is known before it is read.
  private func size(at path: EventPath) -> Int {
    path.components.first == "content" ? event.content.raw.count : 255
  }

  private func isInBody(_ name: Text?) -> Bool {
    guard let name, !name.isEmpty else { return false }
    return words?.contains(name) ?? false
  }

  private func holds(_ condition: PushCondition, user: UserID?, displayName: @autoclosure () -> Text?) -> Bool {
    switch condition.test {
    case .matches(let path, let pattern):
      return text(at: path).map { pattern.matches(FoldedText($0)) } ?? false
    case .bodyMatches(let pattern):
      return words?.contains(pattern) ?? false
    case .isUserID(let path):
      return user.flatMap { user in text(at: path).map { $0 == user.rawValue } } ?? false
    case .bodyHasLocalpart:
      return user.flatMap { words?.contains($0.localpart) } ?? false
    case .propertyIs(let path, let wanted):
      return path.value(in: event).map { $0.json == wanted } ?? false
    case .propertyContains(let path, let wanted):
      return path.value(in: event)?.elements?.contains { $0.json == wanted } ?? false
    case .propertyContainsUserID(let path):
      return path.value(in: event)?.elements?.contains { $0.isString(user?.rawValue ?? "") } ?? false
    case .containsDisplayName: return isInBody(displayName())
    case .memberCount(let comparison, let count):
      return Self.compare(memberCount, comparison, count)
    case .senderMayNotify(let key):
      return senderLevel.map { $0 >= powerLevels.notification(key) } ?? false
    case .isFollowing(let wanted): return user.flatMap(isFollowing) == wanted
    case .never: return false
    }
  }

  /// Returns whether a user follows the thread that the event is in; nil outside of threads.
  private func isFollowing(_ user: UserID) -> Bool? { threadFollowers?.contains(user) }

  private func text(at path: EventPath) -> Text? {
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
