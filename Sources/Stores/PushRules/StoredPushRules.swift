import MatrixPrimitives

/// One row of `push_rules`: a rule that a user made, or a user's own actions for a server-default rule.
public struct StoredPushRule: Sendable, Hashable {
  /// The kinds of rule in the numbers of the database.
  public enum PriorityClass {
    /// The number of a row that only overrides the actions of a server-default rule.
    public static let defaultRuleActions = -1
    /// The kinds of rule with their numbers.
    public static let numbers = ["underride": 1, "sender": 2, "room": 3, "content": 4, "override": 5, "postcontent": 6]
  }

  /// The id with its kind, such as `global/override/my.rule`.
  public let ruleID: Text
  /// The number of the kind (``PriorityClass``).
  public let priorityClass: Int
  /// The conditions, a JSON array.
  public let conditions: JSON
  /// The actions, a JSON array.
  public let actions: JSON

  /// Makes a rule.
  public init(ruleID: Text, priorityClass: Int, conditions: JSON, actions: JSON) {
    self.ruleID = ruleID
    self.priorityClass = priorityClass
    self.conditions = conditions
    self.actions = actions
  }
}

/// What is stored of a user's push rules, to be laid over the server's default rules.
public struct StoredPushRules: Sendable, Hashable {
  /// The stored rules, most important first.
  public internal(set) var rules: [StoredPushRule] = []
  /// The rules that were switched on or off, by id with kind; a rule not named keeps its default.
  public internal(set) var enabled: [Text: Bool] = [:]

  /// Makes the rules of a user who stored none.
  public init() {}
}
