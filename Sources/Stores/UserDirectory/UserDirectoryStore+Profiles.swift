import MatrixPrimitives
import Postgres

extension UserDirectoryStore {
  /// Takes over from membership events what users of other servers are called, the last event of a user last.
  ///
  /// In rooms that everybody sees the profile is the directory's. What somebody is called in a private room is nobody else's business: there
  /// the profile is noted as one to be asked for (`user_directory_stale_remote_users`).
  /// - Parameters:
  ///   - events: membership events of users of other servers, in the order in which they came.
  ///   - open: the rooms that everybody sees.
  ///   - retryMilliseconds: when a profile is to be asked for, since 1970.
  public func noteRemoteProfiles(_ events: [EventID], open: Set<RoomID>, retryMilliseconds: Int64) async throws {
    guard !events.isEmpty else { return }
    let rows = try await database.run(
      """
      SELECT m.user_id, m.room_id, m.display_name, m.avatar_url
      FROM unnest(\(events.map(\.rawValue))::text[]) WITH ORDINALITY AS e(event_id, place)
      JOIN room_memberships AS m ON m.event_id = e.event_id
      WHERE m.membership = 'join' ORDER BY e.place
      """)
    var entries: [UserID: UserDirectoryIndex.Entry] = [:]
    var stale: Set<UserID> = []
    for row in rows {
      let (user, room, name, avatar) = try row.decode(Text.self, Text.self, Text?.self, Text?.self)
      let userID = UserID(unchecked: user)
      if open.contains(RoomID(unchecked: room)) {
        entries[userID] = UserDirectoryIndex.Entry(userID: userID, displayName: name, avatarURL: avatar)
        stale.remove(userID)
      } else {
        stale.insert(userID)
      }
    }
    let (known, unknown) = (Array(entries.values), Array(stale))
    try await database.transaction("update_profiles_in_user_dir", isolation: .readCommitted) { txn in
      UserDirectoryIndex.enqueue(known, in: txn)
      txn.enqueue(
        "DELETE FROM user_directory_stale_remote_users WHERE user_id = ANY(\(known.map(\.userID.rawValue))::text[])")
      txn.enqueue(
        """
        INSERT INTO user_directory_stale_remote_users (user_id, user_server_name, next_try_at_ts, retry_counter)
        SELECT u, s, \(retryMilliseconds)::bigint, 0
        FROM unnest(\(unknown.map(\.rawValue))::text[], \(unknown.map(\.serverName))::text[]) AS t(u, s)
        ON CONFLICT (user_id) DO UPDATE SET next_try_at_ts = EXCLUDED.next_try_at_ts, retry_counter = 0
        """)
    }
  }
}
