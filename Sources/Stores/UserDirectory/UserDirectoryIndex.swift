import MatrixPrimitives
import Postgres

/// The rows of `user_directory` and `user_directory_search` for local users.
///
/// The process that follows the rooms finds out who shares which room, but a local user's own row comes from registering and from
/// changes of the profile alone: without it a user would stay unknown to searches for good (observed in Synapse's tables).
enum UserDirectoryIndex {
  /// Writes the rows from the user's stored profile, with the transaction's next batch.
  ///
  /// Support users, users of application services and deactivated users are not to be found and get none.
  /// - Parameter displayName: the name that the profile has now; words of any script are found by it in any case.
  static func enqueueUpdate(of user: UserID, displayName: Text?, in txn: Transaction) {
    txn.enqueue(
      """
      INSERT INTO user_directory (user_id, display_name, avatar_url)
      SELECT users.name, profiles.displayname, profiles.avatar_url
      FROM users LEFT JOIN profiles ON profiles.user_id = \(user.localpart)
      WHERE users.name = \(user.rawValue) AND \(Self.isListed)
      ON CONFLICT (user_id) DO UPDATE SET display_name = EXCLUDED.display_name, avatar_url = EXCLUDED.avatar_url
      """)
    txn.enqueue(
      """
      INSERT INTO user_directory_search (user_id, vector)
      SELECT users.name, \(vector(of: user, displayName))
      FROM users WHERE users.name = \(user.rawValue) AND \(Self.isListed)
      ON CONFLICT (user_id) DO UPDATE SET vector = EXCLUDED.vector
      """)
  }

  /// What is shown of a user.
  struct Entry: Sendable {
    let userID: UserID
    let displayName: Text?
    let avatarURL: Text?
  }

  /// Writes the rows of users of whom it is known that they may be found.
  static func enqueue(_ entries: [Entry], in txn: Transaction) {
    for entry in entries {
      txn.enqueue(
        """
        INSERT INTO user_directory (user_id, display_name, avatar_url)
        VALUES (\(entry.userID.rawValue), \(entry.displayName), \(entry.avatarURL))
        ON CONFLICT (user_id) DO UPDATE SET display_name = EXCLUDED.display_name, avatar_url = EXCLUDED.avatar_url
        """)
      txn.enqueue(
        """
        INSERT INTO user_directory_search (user_id, vector)
        VALUES (\(entry.userID.rawValue), \(vector(of: entry.userID, entry.displayName)))
        ON CONFLICT (user_id) DO UPDATE SET vector = EXCLUDED.vector
        """)
    }
  }

  /// The words by which a user is found. PostgreSQL lowers only ASCII under the collation C.
  private static func vector(of user: UserID, _ displayName: Text?) -> SQL {
    let words = displayName.map { Text($0.string.lowercased()) } ?? ""
    return """
      setweight(to_tsvector('simple', \(user.localpart)::text), 'A')
      || setweight(to_tsvector('simple', \(user.serverName)::text), 'D')
      || setweight(to_tsvector('simple', normalize(\(words)::text, NFKC)), 'B')
      """
  }

  /// Removes every row about a user, for an account that is deactivated.
  static func enqueueRemoval(of user: UserID, in txn: Transaction) {
    let name = user.rawValue
    txn.enqueue("DELETE FROM user_directory WHERE user_id = \(name)")
    txn.enqueue("DELETE FROM user_directory_search WHERE user_id = \(name)")
    txn.enqueue("DELETE FROM users_in_public_rooms WHERE user_id = \(name)")
    txn.enqueue("DELETE FROM users_who_share_private_rooms WHERE user_id = \(name) OR other_user_id = \(name)")
  }

  /// What lets an account be found, in a query of `users`.
  static let isListed: SQL =
    "users.deactivated = 0 AND users.appservice_id IS NULL AND users.user_type IS DISTINCT FROM 'support'"
}
