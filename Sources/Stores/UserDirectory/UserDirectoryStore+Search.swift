import MatrixPrimitives
import Postgres
import ServerConfig

extension UserDirectoryStore {
  /// A user who was found.
  public struct Found: Sendable {
    /// The user.
    public let userID: UserID
    /// The name to show.
    public let displayName: Text?
    /// The picture, as a `mxc:` address.
    public let avatarURL: Text?
  }

  /// Finds users by words of their names, the best matches first (Synapse's order).
  ///
  /// A user is seen by everybody in a room that anybody may join or read, and by those who share a private room; `search_all_users` shows all but
  /// the user who asks. Of the first 10,000 whose words match the best are chosen.
  /// - Parameters:
  ///   - words: what is searched for, each of them a word or its beginning; at least one.
  ///   - user: who asks.
  ///   - limit: the greatest number of users.
  ///   - settings: who is found at all.
  public func search(
    _ words: [Text], by user: UserID, limit: Int, settings: ProfileSettings
  ) async throws -> [Found] {
    let query = UserDirectoryQuery(words)
    let isVisible: SQL =
      settings.searchesAllUsers
      ? "t.user_id <> \(user.rawValue)"
      : """
      (EXISTS (SELECT FROM users_in_public_rooms AS p WHERE p.user_id = t.user_id)
        OR EXISTS (SELECT FROM users_who_share_private_rooms AS s
          WHERE s.user_id = \(user.rawValue) AND s.other_user_id = t.user_id))
      """
    let isUnlocked: SQL = settings.showsLockedUsers ? "true" : "u.locked IS NOT TRUE"
    let join: SQL = settings.excludesRemoteUsers ? "JOIN" : "LEFT JOIN"
    let preference: SQL =
      settings.prefersLocalUsers ? "* (CASE WHEN \(isLocal("t.user_id")) THEN 2.0 ELSE 1.0 END)" : ""
    let sql: SQL = """
      WITH t AS (
        SELECT user_id, vector FROM user_directory_search WHERE vector @@ to_tsquery('simple', \(query.any)) LIMIT 10000)
      SELECT t.user_id, d.display_name, d.avatar_url
      FROM t JOIN user_directory AS d ON d.user_id = t.user_id \(join) users AS u ON u.name = t.user_id
      WHERE \(isVisible) AND \(isUnlocked)
      ORDER BY
        (CASE WHEN d.display_name IS NULL THEN 1.0 ELSE 1.2 END) * (CASE WHEN d.avatar_url IS NULL THEN 1.0 ELSE 1.2 END)
        * (3 * ts_rank_cd('{0.1, 0.1, 0.9, 1.0}', t.vector, to_tsquery('simple', \(query.exact)), 8)
          + ts_rank_cd('{0.1, 0.1, 0.9, 1.0}', t.vector, to_tsquery('simple', \(query.prefix)), 8))
        \(preference) DESC,
        d.display_name IS NULL, d.avatar_url IS NULL, t.user_id
      LIMIT \(limit)::bigint
      """
    // A search that matches thousands takes longer than what shares a connection should.
    let rows = try await database.transaction("search_user_dir", isolation: .readCommitted, readOnly: true) {
      try $0.query(sql)
    }
    return try rows.map { row in
      let (user, name, avatar) = try row.decode(Text.self, Text?.self, Text?.self)
      return Found(userID: UserID(unchecked: user), displayName: name, avatarURL: avatar)
    }
  }
}

extension UserDirectoryStore {
  /// Lists the rooms that two users are both in, in the order of their identifiers' bytes.
  public func mutualRooms(_ one: UserID, _ other: UserID) async throws -> [RoomID] {
    try await database.run(
      """
      SELECT a.room_id FROM current_state_events AS a
      JOIN current_state_events AS b ON b.room_id = a.room_id AND b.type = 'm.room.member'
        AND b.state_key = \(other.rawValue) AND b.membership = 'join'
      WHERE a.type = 'm.room.member' AND a.state_key = \(one.rawValue) AND a.membership = 'join'
      ORDER BY a.room_id COLLATE "C"
      """
    ).map { RoomID(unchecked: try $0.get(0, as: Text.self)) }
  }
}

/// Words in PostgreSQL's language of text searches.
struct UserDirectoryQuery: Sendable, Hashable {
  /// Each word, or one that begins with it.
  let any: Text
  /// Each word as it is.
  let exact: Text
  /// Words that begin with each.
  let prefix: Text

  /// Quotes words, so that none is read as an operator.
  init(_ words: [Text]) {
    let quoted = words.map { word in
      "'" + word.replacing(UInt8(ascii: "\\"), with: "\\\\").replacing(UInt8(ascii: "'"), with: "''") + "'"
    }
    any = quoted.map { "(\($0):* | \($0))" }.joined(separator: " & ")
    exact = quoted.joined(separator: " & ")
    prefix = quoted.map { "\($0):*" }.joined(separator: " & ")
  }
}
