import MatrixPrimitives
import Postgres

extension PushRuleStore {
  /// Lists those of some users who have a rule in which a room's id occurs.
  public func usersWithRules(naming room: RoomID, among users: [UserID]) async throws -> [UserID] {
    guard !users.isEmpty else { return [] }
    let rows = try await database.run(
      """
      SELECT DISTINCT user_name FROM push_rules
      WHERE user_name = ANY(\(users.map(\.rawValue))::text[]) AND position(\(room.rawValue) IN conditions) > 0
      """)
    return try rows.map { UserID(unchecked: try $0.get(0, as: Text.self)) }
  }
}
