import MatrixPrimitives

/// One push rule, prepared for matching.
public struct PushRule: Sendable {
  /// The kinds of rules in the order in which they are tried.
  public enum Kind: Text, Sendable, CaseIterable {
    case override, content, postcontent, room, sender, underride

    /// The number the database stores for the kind.
    public var priorityClass: Int {
      switch self {
      case .underride: 1
      case .sender: 2
      case .room: 3
      case .content: 4
      case .override: 5
      // The kind for threads (MSC4306), in which clients cannot make rules.
      case .postcontent: 6
      }
    }

    /// Finds the kind of a number of the database.
    public init?(priorityClass: Int) {
      guard let kind = Self.allCases.first(where: { $0.priorityClass == priorityClass }) else { return nil }
      self = kind
    }
  }

  /// The id the database stores: `global/<kind>/<id>`.
  public let ruleID: Text
  /// The kind.
  public let kind: Kind
  /// What to do when the rule matches, as clients wrote it.
  public let actions: [JSON]
  /// Whether the rule is one of the server's own.
  public let isDefault: Bool
  /// Whether the rule is on as long as the user says nothing.
  public let isEnabledByDefault: Bool
  let conditions: [PushCondition]
  let outcome: PushOutcome

  /// Reads a stored rule.
  /// - Parameters:
  ///   - ruleID: `global/<kind>/<id>`.
  ///   - kind: the kind.
  ///   - conditions: the array of conditions; anything else is no condition.
  ///   - actions: the array of actions.
  public init(ruleID: Text, kind: Kind, conditions: JSON, actions: JSON) {
    self.init(
      ruleID: ruleID, kind: kind, conditions: (conditions.elements ?? []).map(PushCondition.init),
      actions: actions.elements ?? [], isDefault: false)
  }

  init(
    ruleID: Text, kind: Kind, conditions: [PushCondition], actions: [JSON], isDefault: Bool,
    isEnabledByDefault: Bool = true
  ) {
    self.ruleID = ruleID
    self.kind = kind
    self.conditions = conditions
    self.actions = actions
    self.isDefault = isDefault
    self.isEnabledByDefault = isEnabledByDefault
    outcome = PushOutcome(actions: actions)
  }

  /// The id without scope and kind, as clients know it.
  public var clientID: Text {
    let prefix = "global/\(kind.rawValue)/"
    return ruleID.dropping(prefix: prefix) ?? ruleID
  }

  func withActions(_ actions: [JSON]) -> PushRule {
    PushRule(
      ruleID: ruleID, kind: kind, conditions: conditions, actions: actions, isDefault: isDefault,
      isEnabledByDefault: isEnabledByDefault)
  }
}

/// What a matching push rule wants to happen.
public struct PushOutcome: Sendable, Hashable {
  /// The actions without those that mean nothing any more (`dont_notify`, `coalesce`).
  public let actions: [JSON]
  /// Whether the user is to be notified.
  public let notifies: Bool
  /// Whether the event counts as a highlight.
  public let isHighlight: Bool

  init(actions: [JSON]) {
    self.actions = actions.filter { $0 != "dont_notify" && $0 != "coalesce" }
    notifies = self.actions.contains("notify")
    isHighlight = self.actions.contains { action in
      action["set_tweak"]?.string == "highlight" && action["value"]?.bool ?? true
    }
  }
}
