import MatrixPrimitives

/// A user's push rules: the server's own with the user's changes, and the user's additions, in the order in which they
/// are tried.
public struct PushRules: Sendable {
  /// A reference to one of the server's rules or of the user's own.
  enum Slot: Sendable {
    case standard(Int)
    case own(Int)
  }

  private(set) var order: [Slot]
  private(set) var ownRules: [PushRule] = []
  /// The server's rules with this user's actions; the shared array as long as the user changed none.
  private(set) var standardRules: [PushRule] = PushRules.defaultRules
  private(set) var enabled: [Text: Bool] = [:]
  /// Whether the user never changed any.
  let areDefaults: Bool
  /// The slots that are switched on, in order.
  private(set) var active: [Slot] = []

  /// The rules of a user who never changed any.
  public static let defaults = PushRules(stored: [], enabled: [:])
  /// The same where users can follow threads.
  public static let threadDefaults = PushRules(stored: [], enabled: [:], withThreads: true)

  /// The ids (with scope and kind) of the server's own rules.
  public static let defaultRuleIDs: Set<Text> = Set(defaultRules.map(\.ruleID))

  private static let indexByID = Dictionary(defaultRules.enumerated().map { ($1.ruleID, $0) }) { first, _ in first }

  /// Merges a user's stored rules with the server's.
  /// - Parameters:
  ///   - stored: the user's rules in order of falling priority within each kind. One with the id of a server's rule changes that
  ///     rule's actions.
  ///   - enabled: which rules the user switched on or off, by rule id.
  ///   - withThreads: whether the rules for threads that users follow count (MSC4306); else they do not exist.
  public init(stored: [PushRule], enabled: [Text: Bool], withThreads: Bool = false) {
    order = []
    areDefaults = stored.isEmpty && enabled.isEmpty
    self.enabled = enabled
    for rule in stored {
      if let index = Self.indexByID[rule.ruleID] {
        standardRules[index] = standardRules[index].withActions(rule.actions)
      } else {
        ownRules.append(rule)
      }
    }
    for kind in PushRule.Kind.allCases where withThreads || kind != .postcontent {
      let standard = standardRules.indices.filter { standardRules[$0].kind == kind }
      // The master switch comes before everything; the user's rules before the server's others.
      let leading = standard.filter { standardRules[$0].clientID == ".m.rule.master" }
      order += leading.map { .standard($0) }
      order += ownRules.indices.filter { ownRules[$0].kind == kind }.map { .own($0) }
      order += standard.filter { !leading.contains($0) }.map { .standard($0) }
    }
    active = order.filter { isEnabled(rule(at: $0)) }
  }

  func rule(at slot: Slot) -> PushRule {
    switch slot {
    case .standard(let index): standardRules[index]
    case .own(let index): ownRules[index]
    }
  }

  /// Returns whether a rule is on for this user.
  public func isEnabled(_ rule: PushRule) -> Bool {
    enabled[rule.ruleID] ?? rule.isEnabledByDefault
  }

  /// All rules in the order in which they are tried.
  public var rules: [PushRule] { order.map { rule(at: $0) } }

  /// Writes the rules as `GET /pushrules/global` and the account data `m.push_rules` show them: an object with an array for each kind.
  public func write(for user: UserID, to writer: inout JSONWriter) {
    writer.beginObject()
    let rules = rules
    for kind in PushRule.Kind.allCases {
      writer.key(kind.rawValue)
      writer.beginArray()
      for rule in rules where rule.kind == kind { writer.value(clientForm(of: rule, for: user)) }
      writer.endArray()
    }
    writer.endObject()
  }

  /// Returns one rule as clients see it.
  public func clientForm(of rule: PushRule, for user: UserID) -> JSON {
    var form: [Text: JSON] = [
      "actions": .array(rule.actions), "default": .bool(rule.isDefault), "enabled": .bool(isEnabled(rule)),
      "rule_id": .string(rule.clientID),
    ]
    let conditions = rule.conditions.map { Self.filled($0.json, for: user) }
    switch rule.kind {
    case .override, .postcontent, .underride: form["conditions"] = .array(conditions)
    case .content: form["pattern"] = conditions.first?["pattern"]
    case .room, .sender: break
    }
    return .object(form)
  }

  /// Replaces a reference to the user by their id or localpart.
  private static func filled(_ condition: JSON, for user: UserID) -> JSON {
    guard case .object(var members) = condition else { return condition }
    for key in ["pattern", "value"] {
      guard let type = members.removeValue(forKey: key + "_type") else { continue }
      members[key] = .string(type == "user_localpart" ? user.localpart : user.rawValue)
    }
    return .object(members)
  }
}
