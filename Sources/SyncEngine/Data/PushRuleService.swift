import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

/// The users' push rules as clients see them, and their changes on the process that writes them.
public final class PushRuleService: Sendable {
  let store: PushRuleStore
  private let barrier: ReadBarrier
  let limits: PushRuleStore.Limits
  /// Whether there are rules for threads that users follow (MSC4306).
  private let withThreads: Bool

  init(stores: PushStores, limits: PushRuleStore.Limits, withThreads: Bool = false) {
    self.withThreads = withThreads
    store = stores.rules
    barrier = stores.barrier
    self.limits = limits
  }

  /// Waits until this process has what was stored of a user's rules before the call, by whichever process.
  public func catchUp(_ user: UserID) async throws { try await barrier.pass(pushRulesOf: user) }

  /// Returns a user's rules, stored ones laid over the server's.
  public func rules(of user: UserID) async throws -> PushRules {
    let stored = try await store.rules(of: user)
    return PushRules(stored: stored.rules.compactMap(\.pushRule), enabled: stored.enabled, withThreads: withThreads)
  }

  /// Returns the content of `m.push_rules`, which is also the answer of `GET /pushrules/`.
  public func rulesJSON(of user: UserID) async throws -> [UInt8] {
    let rules = try await rules(of: user)
    var writer = JSONWriter(capacity: 8192)
    writer.beginObject()
    writer.key("global" as StaticString)
    rules.write(for: user, to: &writer)
    writer.endObject()
    return writer.bytes
  }

  // MARK: Changing

  /// Adds a rule, or replaces the one of the same id.
  ///
  /// - Parameters:
  ///   - kind: the kind of rule.
  ///   - id: the id without kind.
  ///   - body: what the client sent.
  ///   - before: the id of the rule of the same kind that follows; nil for none.
  ///   - after: the id of the rule of the same kind that precedes; nil for none.
  /// - Throws: 400 when the rule is malformed or may not be added, 413 when it is too large.
  public func put(
    _ user: UserID, kind: Text, id: Text, body: JSONValue, before: Text?, after: Text?
  ) async throws {
    let (number, ruleID) = try target(kind, id)
    guard !id.hasPrefix(".") else {
      throw MatrixError.unknown("cannot add new rule_ids that start with '.'", status: 400)
    }
    let rule = StoredPushRule(
      ruleID: ruleID, priorityClass: number, conditions: try Self.conditions(kind, id, body),
      actions: try Self.actions(body["actions"]))
    let place: PushRuleStore.Place =
      if let before, !before.isEmpty { .before("global/\(kind)/\(before)") } else if let after, !after.isEmpty {
        .after("global/\(kind)/\(after)")
      } else { .first }
    _ = try await store.add(rule, for: user, at: place, limits: limits)
  }

  /// Removes a rule.
  ///
  /// - Throws: 404 when there is no such rule; the server's own cannot be removed.
  public func delete(_ user: UserID, kind: Text, id: Text) async throws {
    guard try await store.delete("global/\(kind)/\(id)", of: user) != nil else {
      throw MatrixError.notFound("Not found")
    }
  }

  /// Switches a rule on or off, or replaces its actions.
  ///
  /// - Parameters:
  ///   - attribute: `enabled` or `actions`.
  ///   - body: what the client sent: an object with the attribute, or for `enabled` a bare boolean.
  /// - Throws: 404 when there is no such rule or attribute, 400 when the value is malformed.
  public func set(_ attribute: Text, _ user: UserID, kind: Text, id: Text, body: JSONValue) async throws {
    let (_, ruleID) = try target(kind, id)
    guard attribute == "enabled" || attribute == "actions" else { throw MatrixError.unrecognized(status: 400) }
    let isDefault = id.hasPrefix(".")
    guard !isDefault || PushRules.defaultRuleIDs.contains(ruleID) else { throw MatrixError.notFound("Unknown rule") }
    let change: Int64?
    if attribute == "enabled" {
      guard let isEnabled = (body["enabled"] ?? body).bool else {
        throw MatrixError.unknown("Value for 'enabled' must be boolean", status: 400)
      }
      change = try await store.setEnabled(isEnabled, ruleID, of: user, isDefault: isDefault)
    } else {
      guard body.kind == .object else { throw MatrixError.unknown("Value must be a dict", status: 400) }
      guard body["actions"]?.kind == .array else {
        throw MatrixError.unknown("Value for 'actions' must be dict", status: 400)
      }
      let actions = try Self.actions(body["actions"])
      change = try await store.setActions(
        actions, ruleID, of: user, isDefault: isDefault, limits: limits)
    }
    guard change != nil else { throw MatrixError.notFound("Unknown rule") }
  }

  private func target(_ kind: Text, _ id: Text) throws(MatrixError) -> (number: Int, ruleID: Text) {
    guard let number = StoredPushRule.PriorityClass.numbers[kind] else {
      throw .unknown("Unknown template: \(kind)", status: 400)
    }
    guard !id.contains("/"), !id.contains("\\") else { throw .unknown("rule_id may not contain slashes", status: 400) }
    return (number, "global/\(kind)/\(id)")
  }

  // MARK: Reading rules

  /// Works out the conditions of a new rule: stated by the client, or implied by the kind and the id.
  private static func conditions(_ kind: Text, _ id: Text, _ body: JSONValue) throws(MatrixError) -> JSON {
    guard body.kind == .object else { throw .unknown("No actions found", status: 400) }
    switch kind {
    case "override", "underride":
      guard let conditions = body["conditions"] else { throw .unknown("Missing 'conditions'", status: 400) }
      guard let list = conditions.elements else { throw .unknown("'conditions' must be an array", status: 400) }
      for condition in list where condition["kind"]?.string == nil {
        throw .unknown("Condition without 'kind'", status: 400)
      }
      return conditions.json
    case "room": return [match("room_id", id)]
    case "sender": return [match("user_id", id)]
    case "content":
      guard let pattern = body["pattern"]?.string else { throw .unknown("Content rule missing 'pattern'", status: 400) }
      return [match("content.body", pattern)]
    case "postcontent": throw .invalidParam("user-defined rules using `postcontent` are not accepted")
    default: throw .unknown("Unknown rule template: \(kind)", status: 400)
    }
  }

  private static func match(_ key: Text, _ pattern: Text) -> JSON {
    ["kind": "event_match", "key": .string(key), "pattern": .string(pattern)]
  }

  private static func actions(_ json: JSONValue?) throws(MatrixError) -> JSON {
    guard let list = json?.elements else { throw .unknown("No actions found", status: 400) }
    for action in list {
      if let name = action.string, ["notify", "dont_notify", "coalesce"].contains(name) { continue }
      if action["set_tweak"] != nil { continue }
      throw .unknown("Unrecognised action \(Text(decoding: action.raw, as: UTF8.self))", status: 400)
    }
    return json?.json ?? []
  }
}

extension StoredPushRule {
  /// The rule in the form that is matched against events; nil when its kind is not known.
  public var pushRule: PushRule? {
    let parts = ruleID.split(separator: UInt8(ascii: "/"), maxSplits: 2, omittingEmptySubsequences: false)
    let kind =
      PushRule.Kind(priorityClass: priorityClass) ?? (parts.count > 1 ? PushRule.Kind(rawValue: parts[1]) : nil)
    return kind.map { PushRule(ruleID: ruleID, kind: $0, conditions: conditions, actions: actions) }
  }
}
