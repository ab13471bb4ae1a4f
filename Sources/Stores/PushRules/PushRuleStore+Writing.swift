import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

extension PushRuleStore {
  /// The place of a new rule among the rules of its kind; rules are named by id with kind.
  public enum Place: Sendable {
    /// The place before all others of its kind.
    case first
    /// The place just before another one.
    case before(Text)
    /// The place just after another one.
    case after(Text)
  }

  /// The bounds of `push_rules.limits` in the configuration.
  public struct Limits: Sendable {
    /// The longest rule id with kind, in bytes.
    public var ruleIDLength = 300
    /// The largest sum of conditions and actions as JSON, in bytes.
    public var ruleSize = 1024
    /// The greatest number of a user's rules.
    public var ruleCount = 10_000

    /// Makes the defaults.
    public init() {}
  }

  /// Adds a rule, or replaces the one of the same id.
  ///
  /// - Returns: the stream id of the change.
  /// - Throws: 400 when the neighbouring rule does not exist or is of another kind, or there would be too many rules; 413
  ///   when the rule is too large.
  public func add(_ rule: StoredPushRule, for user: UserID, at place: Place, limits: Limits) async throws -> Int64 {
    try Self.check(rule, limits)
    let enableID = try await nextRowID()
    let ruleRowID = try await nextRowID()
    return try await writing(user) { txn, entry in
      let priority = try Self.priority(txn, rule, user, place)
      try Self.upsert(txn, rule, user, priority: priority, id: ruleRowID, limits)
      txn.enqueue(
        """
        INSERT INTO push_rules_enable (id, user_name, rule_id, enabled)
        VALUES (\(enableID), \(user.rawValue), \(rule.ruleID), 1) ON CONFLICT (user_name, rule_id) DO NOTHING
        """)
      entry.enqueue(txn, rule.ruleID, "ADD", rule, priority)
    }
  }

  /// Removes a rule.
  ///
  /// - Returns: the stream id of the change; nil when there is no such rule.
  public func delete(_ ruleID: Text, of user: UserID) async throws -> Int64? {
    do {
      return try await writing(user) { txn, entry in
        let deleted = try txn.execute(
          "DELETE FROM push_rules WHERE user_name = \(user.rawValue) AND rule_id = \(ruleID)")
        guard deleted > 0 else { throw NoSuchRule() }
        txn.enqueue("DELETE FROM push_rules_enable WHERE user_name = \(user.rawValue) AND rule_id = \(ruleID)")
        entry.enqueue(txn, ruleID, "DELETE")
      }
    } catch is NoSuchRule { return nil }
  }

  /// Switches a rule on or off.
  ///
  /// - Parameter isDefault: the rule is one of the server's, which need not be stored.
  /// - Returns: the stream id of the change; nil when there is no such rule.
  public func setEnabled(_ isEnabled: Bool, _ ruleID: Text, of user: UserID, isDefault: Bool) async throws -> Int64? {
    let id = try await nextRowID()
    do {
      return try await writing(user) { txn, entry in
        if !isDefault {
          let found = try txn.query(
            "SELECT 1 FROM push_rules WHERE user_name = \(user.rawValue) AND rule_id = \(ruleID) FOR KEY SHARE")
          guard !found.isEmpty else { throw NoSuchRule() }
        }
        txn.enqueue(
          """
          INSERT INTO push_rules_enable (id, user_name, rule_id, enabled)
          VALUES (\(id), \(user.rawValue), \(ruleID), \(isEnabled ? 1 : 0))
          ON CONFLICT (user_name, rule_id) DO UPDATE SET enabled = EXCLUDED.enabled
          """)
        entry.enqueue(txn, ruleID, isEnabled ? "ENABLE" : "DISABLE")
      }
    } catch is NoSuchRule { return nil }
  }

  /// Replaces a rule's actions.
  ///
  /// - Parameter isDefault: the rule is one of the server's: a row that only holds the actions is stored.
  /// - Returns: the stream id of the change; nil when there is no such rule.
  public func setActions(
    _ actions: JSON, _ ruleID: Text, of user: UserID, isDefault: Bool, limits: Limits
  ) async throws -> Int64? {
    let (id, enableID) = (try await nextRowID(), try await nextRowID())
    do {
      return try await writing(user) { txn, entry in
        if isDefault {
          let rule = StoredPushRule(
            ruleID: ruleID, priorityClass: StoredPushRule.PriorityClass.defaultRuleActions, conditions: [],
            actions: actions)
          try Self.upsert(txn, rule, user, priority: 1, id: id, limits)
          txn.enqueue(
            """
            INSERT INTO push_rules_enable (id, user_name, rule_id, enabled)
            VALUES (\(enableID), \(user.rawValue), \(ruleID), 1) ON CONFLICT (user_name, rule_id) DO NOTHING
            """)
        } else {
          try Self.replaceActions(txn, actions, ruleID, user, limits)
        }
        entry.enqueue(txn, ruleID, "ACTIONS", actions: actions)
      }
    } catch is NoSuchRule { return nil }
  }

  private static func replaceActions(
    _ txn: Transaction, _ actions: JSON, _ ruleID: Text, _ user: UserID, _ limits: Limits
  ) throws {
    let rows = try txn.query(
      "SELECT conditions FROM push_rules WHERE user_name = \(user.rawValue) AND rule_id = \(ruleID) FOR UPDATE")
    guard let row = rows.first else { throw NoSuchRule() }
    try checkSize(try row.get(0, as: Text.self).utf8.count + actions.encoded.count, limits)
    txn.enqueue(
      """
      UPDATE push_rules SET actions = \(actions.encodedText)
      WHERE user_name = \(user.rawValue) AND rule_id = \(ruleID)
      """)
  }

  // MARK: Pieces

  private struct NoSuchRule: Error {}

  /// What every row of `push_rules_stream` of one change has in common.
  struct StreamEntry: Sendable {
    let streamID: Int64
    let eventOrdering: Int64
    let user: UserID
    let instance: Text

    func enqueue(
      _ txn: Transaction, _ ruleID: Text, _ operation: Text, _ rule: StoredPushRule? = nil, _ priority: Int? = nil,
      actions: JSON? = nil
    ) {
      txn.enqueue(
        """
        INSERT INTO push_rules_stream (stream_id, event_stream_ordering, user_id, rule_id, op, priority_class, priority,
          conditions, actions, instance_name)
        VALUES (\(streamID), \(eventOrdering), \(user.rawValue), \(ruleID), \(operation), \(rule?.priorityClass), \(priority),
          \(rule?.conditions.encodedText), \((actions ?? rule?.actions)?.encodedText), \(instance))
        """)
    }
  }

  private func writing(
    _ user: UserID, _ body: @escaping @Sendable (Transaction, StreamEntry) throws -> Void
  ) async throws -> Int64 {
    try await writer.write { [self] streamID in
      let entry = StreamEntry(
        streamID: streamID, eventOrdering: events.currentToken, user: user, instance: writer.instanceName)
      try await database.transaction("write_push_rules") { try body($0, entry) }
      noteChange(of: user, at: streamID)
      return (streamID, [.pushRules(user)])
    }
  }

  /// Returns a fresh primary key: one more than the largest when this process started, and so on.
  private func nextRowID() async throws -> Int64 {
    let take: @Sendable () -> Int64? = { [self] in
      rowIDs.withLock { last in
        guard let known = last else { return nil }
        last = known + 1
        return known + 1
      }
    }
    if let id = take() { return id }
    let rows = try await database.run(
      "SELECT GREATEST((SELECT MAX(id) FROM push_rules), (SELECT MAX(id) FROM push_rules_enable), 0)")
    let largest = try rows.first?.get(0, as: Int64.self) ?? 0
    rowIDs.withLock { last in if last == nil { last = largest } }
    guard let id = take() else { throw StreamIDMissing() }
    return id
  }

  private static func priority(
    _ txn: Transaction, _ rule: StoredPushRule, _ user: UserID, _ place: Place
  ) throws -> Int {
    let neighbour: Text
    switch place {
    case .first:
      let rows = try txn.query(
        """
        SELECT COALESCE(MAX(priority) + 1, 0) FROM push_rules
        WHERE user_name = \(user.rawValue) AND priority_class = \(rule.priorityClass)
        """)
      return try rows.first?.get(0) ?? 0
    case .before(let id), .after(let id): neighbour = id
    }
    let rows = try txn.query(
      """
      SELECT priority, priority_class::integer FROM push_rules
      WHERE user_name = \(user.rawValue) AND rule_id = \(neighbour) FOR UPDATE
      """)
    guard let row = rows.first else { throw MatrixError.unknown("before/after rule not found: \(neighbour)") }
    let (priority, priorityClass) = try row.decode(Int.self, Int.self)
    guard priorityClass == rule.priorityClass else {
      throw MatrixError.unknown("Given priority class does not match class of relative rule")
    }
    let isBefore = if case .before = place { true } else { false }
    let new = isBefore ? priority + 1 : priority
    txn.enqueue(
      """
      UPDATE push_rules SET priority = priority + 1
      WHERE user_name = \(user.rawValue) AND priority_class = \(rule.priorityClass) AND priority >= \(new)
      """)
    return new
  }

  private static func upsert(
    _ txn: Transaction, _ rule: StoredPushRule, _ user: UserID, priority: Int, id: Int64, _ limits: Limits
  ) throws {
    let counts = try txn.query(
      """
      SELECT COUNT(*) FILTER (WHERE rule_id = \(rule.ruleID)), COUNT(*) FROM push_rules
      WHERE user_name = \(user.rawValue)
      """)
    let (same, all) = try counts.first?.decode(Int.self, Int.self) ?? (0, 0)
    guard same > 0 || all < limits.ruleCount else {
      throw MatrixError.unknown(
        "Creating a push rule would exceed the limit on the number of push rules associated with your account "
          + "(\(all + 1) rules > \(limits.ruleCount) rules)")
    }
    txn.enqueue(
      """
      INSERT INTO push_rules (id, user_name, rule_id, priority_class, priority, conditions, actions)
      VALUES (\(id), \(user.rawValue), \(rule.ruleID), \(rule.priorityClass), \(priority),
        \(rule.conditions.encodedText), \(rule.actions.encodedText))
      ON CONFLICT (user_name, rule_id) DO UPDATE SET priority_class = EXCLUDED.priority_class,
        priority = EXCLUDED.priority, conditions = EXCLUDED.conditions, actions = EXCLUDED.actions
      """)
  }

  private static func check(_ rule: StoredPushRule, _ limits: Limits) throws(MatrixError) {
    let length = rule.ruleID.utf8.count
    guard length <= limits.ruleIDLength else {
      throw .unknown(
        "Push rule ID length exceeds server limit (\(length) bytes > \(limits.ruleIDLength) bytes).", status: 413)
    }
    try checkSize(rule.conditions.encoded.count + rule.actions.encoded.count, limits)
  }

  private static func checkSize(_ size: Int, _ limits: Limits) throws(MatrixError) {
    guard size <= limits.ruleSize else {
      throw .unknown("Push rule size exceeds server limit (\(size) bytes > \(limits.ruleSize) bytes).", status: 413)
    }
  }
}
