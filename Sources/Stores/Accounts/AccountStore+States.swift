import MatrixPrimitives
import Postgres

extension AccountStore {
  /// Locks or unlocks an account.
  public func setLocked(_ user: UserID, _ isLocked: Bool) async throws {
    try await invalidator.withInvalidations(
      "set_user_locked_status", isolation: .readCommitted, Self.stale("get_user_locked_status", user)
    ) { $0.enqueue("UPDATE users SET locked = \(isLocked) WHERE name = \(user.rawValue)") }
  }

  /// Suspends an account, or lets it act again.
  public func setSuspended(_ user: UserID, _ isSuspended: Bool) async throws {
    try await invalidator.withInvalidations(
      "set_user_suspended_status", isolation: .readCommitted, Self.stale("get_user_suspended_status", user)
    ) { $0.enqueue("UPDATE users SET suspended = \(isSuspended) WHERE name = \(user.rawValue)") }
  }

  private static func stale(_ function: Text, _ user: UserID) -> [CacheInvalidation] {
    [CacheInvalidation(function, [user.rawValue]), CacheInvalidation("get_user_by_id", [user.rawValue])]
  }

  /// Finds which of some accounts exist, and whether they are deactivated.
  public func deactivation(of users: [UserID]) async throws -> [UserID: Bool] {
    guard !users.isEmpty else { return [:] }
    let rows = try await database.run(
      "SELECT name, deactivated <> 0 FROM users WHERE name = ANY(\(users.map(\.rawValue))::text[])")
    return try rows.reduce(into: [:]) { result, row in
      result[UserID(unchecked: try row.get(0, as: Text.self))] = try row.get(1, as: Bool.self)
    }
  }
}
