import MatrixPrimitives
import Postgres
import Replication
import StorageEngine
import Synchronization

/// The users' push rules (`push_rules`, `push_rules_enable`, `push_rules_stream`).
///
/// Rules stay in memory until a row of the `push_rules` stream names their user.
public final class PushRuleStore: Sendable {
  let database: PostgresClient
  let writer: StreamWriter
  let events: StreamIDGenerator
  private let cache: Cache<UserID, StoredPushRules>

  /// The last primary key of both tables; only this process writes them.
  let rowIDs = Mutex<Int64?>(nil)

  /// The stream id at which each user's rules last changed.
  public let changes: StreamChangeCache

  init(_ context: StoreContext) {
    database = context.database
    events = context.ids[.events]
    writer = StreamWriter(.pushRules, context.ids[.pushRules], context)
    cache = context.caches.cache("get_push_rules_for_user", byteBudget: 8 << 20) {
      256 + $1.rules.count * 512 + $1.enabled.count * 64
    }
    changes = context.caches.changeCache("PushRulesStreamChangeCache")
    context.caches.register("get_push_rules_for_user", of: cache)
    context.afterLoad { [changes, writer] in changes.start(at: writer.ids.currentToken) }
    context.follow(.pushRules, for: self) { store, batches in
      for batch in batches {
        for case .pushRules(let user) in batch.rows { store.noteChange(of: user, at: batch.token) }
      }
    }
  }

  /// Takes note of a change of a user's rules before the position advances.
  public func noteChange(of user: UserID, at token: Int64) {
    cache.invalidate(user)
    changes.entityChanged(user.rawValue, at: token)
  }

  /// Returns what is stored for a user.
  public func rules(of user: UserID) async throws -> StoredPushRules {
    try await rules(of: [user]).first ?? StoredPushRules()
  }

  /// Returns what is stored for each of several users, in their order, with one query for all that are not in memory.
  public func rules(of users: [UserID]) async throws -> [StoredPushRules] {
    if let kept = cache.peek(all: users) { return kept }
    let database = self.database
    let found = try await cache.values(users) { try await Self.load($0, database) }
    return users.map { found[$0] ?? StoredPushRules() }
  }

  /// Returns whether a user's rules changed after a position, asking the database only when memory does not reach back
  /// so far.
  public func haveChanged(_ user: UserID, since: Int64) async throws -> Bool {
    guard changes.hasChanged(user.rawValue, since: since) else { return false }
    let rows = try await database.run(
      "SELECT 1 FROM push_rules_stream WHERE user_id = \(user.rawValue) AND stream_id > \(since) LIMIT 1")
    return !rows.isEmpty
  }

  private static func load(_ users: [UserID], _ database: PostgresClient) async throws -> [UserID: StoredPushRules] {
    let names = users.map(\.rawValue)
    let rows = try await database.run(
      """
      SELECT user_name, rule_id, priority_class::integer, priority, conditions, actions, NULL::integer
      FROM push_rules WHERE user_name = ANY(\(names)::text[])
      UNION ALL
      SELECT user_name, rule_id, 0, 0, '', '', enabled::integer
      FROM push_rules_enable WHERE user_name = ANY(\(names)::text[])
      ORDER BY 3 DESC, 4 DESC
      """)
    var found = Dictionary(users.map { ($0, StoredPushRules()) }, uniquingKeysWith: { a, _ in a })
    for row in rows {
      let (user, rule, priorityClass, _, conditions, actions, enabled) = try row.decode(
        Text.self, Text.self, Int.self, Int.self, Text.self, Text.self, Int?.self)
      let id = UserID(unchecked: user)
      if let enabled {
        found[id]?.enabled[rule] = enabled != 0
      } else {
        found[id]?.rules.append(
          StoredPushRule(
            ruleID: rule, priorityClass: priorityClass, conditions: try JSON.parse(conditions),
            actions: try JSON.parse(actions)))
      }
    }
    return found
  }
}
