import MatrixPrimitives
import Postgres
import StorageEngine

/// The permanent closing of accounts, with a record of whose rooms have still to be left and whose messages are hidden.
public final class DeactivationStore: Sendable {
  private let database: PostgresClient
  private let invalidator: CacheInvalidator
  private let sessions: SessionStore
  private let erasures: Cache<UserID, Bool>

  init(_ context: StoreContext, sessions: SessionStore) {
    database = context.database
    invalidator = context.invalidator
    self.sessions = sessions
    erasures = context.caches.cache("is_user_erased", capacity: 20_000)
    context.caches.register("is_user_erased", of: erasures)
  }

  /// Marks an account deactivated and takes away, in one transaction, what belongs to it alone: password, third-party identifiers,
  /// devices with their tokens, account data, ignored users, push rules, the backup of keys, and what only Synapse writes: the threads
  /// that the user follows. The rooms are left afterwards (``pending()``).
  ///
  /// - Parameter erases: whether the profile goes too, and messages are hidden from those who were not in the room with them.
  /// - Returns: the devices that went.
  public func deactivate(_ user: UserID, erases: Bool) async throws -> [Text] {
    let name = user.rawValue
    return try await database.transaction("deactivate_account", isolation: .readCommitted) { txn in
      txn.enqueue("UPDATE users SET deactivated = 1, password_hash = NULL WHERE name = \(name)")
      let devices = try self.sessions.endAll(of: user, in: txn)
      txn.enqueue("DELETE FROM user_threepids WHERE user_id = \(name)")
      UserDirectoryIndex.enqueueRemoval(of: user, in: txn)
      Self.removeAccountData(of: name, in: txn)
      Self.removeBackupAndThreads(of: name, in: txn)
      if erases {
        txn.enqueue("DELETE FROM profiles WHERE user_id = \(user.localpart)")
        txn.enqueue("INSERT INTO erased_users (user_id) VALUES (\(name)) ON CONFLICT DO NOTHING")
      }
      txn.enqueue(
        """
        INSERT INTO users_pending_deactivation (user_id) SELECT \(name)::text
        WHERE NOT EXISTS (SELECT 1 FROM users_pending_deactivation WHERE user_id = \(name))
        """)
      try self.invalidator.enqueue(Self.invalidations(of: name, erases: erases), in: txn)
      return devices
    }
  }

  /// Removes the ignored users of the account, not its place among those whom others ignore: that is their data.
  private static func removeAccountData(of user: Text, in txn: Transaction) {
    txn.enqueue("DELETE FROM account_data WHERE user_id = \(user)")
    txn.enqueue("DELETE FROM room_account_data WHERE user_id = \(user)")
    txn.enqueue("DELETE FROM ignored_users WHERE ignorer_user_id = \(user)")
    txn.enqueue("DELETE FROM push_rules WHERE user_name = \(user)")
    txn.enqueue("DELETE FROM push_rules_enable WHERE user_name = \(user)")
    txn.enqueue("DELETE FROM push_rules_stream WHERE user_id = \(user)")
  }

  private static func removeBackupAndThreads(of user: Text, in txn: Transaction) {
    KeyBackupStore.removeAll(of: user, in: txn)
    txn.enqueue("DELETE FROM thread_subscriptions WHERE user_id = \(user)")
  }

  private static func invalidations(of user: Text, erases: Bool) -> [CacheInvalidation] {
    let functions = [
      "get_user_by_id", "get_user_deactivated_status", "is_guest", "get_account_data_for_room_and_type",
      "get_global_account_data_for_user", "get_room_account_data_for_user", "get_global_account_data_by_type_for_user",
      "get_account_data_for_room", "ignored_users", "get_push_rules_for_user", "get_subscription_for_thread",
    ]
    return functions.map { CacheInvalidation($0, [user]) }
      + (erases ? [CacheInvalidation("is_user_erased", [user])] : []) + [CacheInvalidation("ignored_by", nil)]
  }

  /// Lists deactivated users who are, as far as is known, still in rooms.
  public func pending() async throws -> [UserID] {
    try await database.run("SELECT DISTINCT user_id FROM users_pending_deactivation").map {
      UserID(unchecked: try $0.get(0, as: Text.self))
    }
  }

  /// Notes that a deactivated user has left all rooms.
  public func finish(_ user: UserID) async throws {
    _ = try await database.run("DELETE FROM users_pending_deactivation WHERE user_id = \(user.rawValue)")
  }

  /// Finds those among some users who have had their messages erased.
  public func erased(among users: Set<UserID>) async throws -> Set<UserID> {
    let found = try await erasures.values(users) { missing in
      let rows = try await database.run(
        "SELECT user_id FROM erased_users WHERE user_id = ANY(\(missing.map(\.rawValue))::text[])")
      let erased = Set(try rows.map { UserID(unchecked: try $0.get(0, as: Text.self)) })
      return Dictionary(missing.map { ($0, erased.contains($0)) }, uniquingKeysWith: { first, _ in first })
    }
    return Set(found.filter(\.value).keys)
  }
}
