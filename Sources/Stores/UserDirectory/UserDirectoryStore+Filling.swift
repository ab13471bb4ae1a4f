import MatrixEvents
import MatrixPrimitives
import Postgres

/// The steps in which a directory is filled from the rooms and accounts, under the names of Synapse's background updates.
public enum UserDirectoryFilling: Text, Sendable, CaseIterable {
  /// Notes which rooms and accounts there are, in tables of its own.
  case createTables = "populate_user_directory_createtables"
  /// Takes up the members of the rooms.
  case processRooms = "populate_user_directory_process_rooms"
  /// Takes up the accounts.
  case processUsers = "populate_user_directory_process_users"
  /// Begins to follow the rooms from where the work began.
  case cleanUp = "populate_user_directory_cleanup"
}

extension UserDirectoryStore {
  /// The entries of state in rooms after which a piece ends.
  private static let entriesAtOnce: Int64 = 2_000
  private static let roomsAtOnce = 250
  private static let usersAtOnce = 200

  /// Does a piece of a step, and notes in Synapse's tables how far it has come.
  ///
  /// - Parameters:
  ///   - progress: how far it had come.
  ///   - position: the point up to which the stream of events is known, from which the rooms are followed later.
  public func fill(_ step: UserDirectoryFilling, _ progress: [Text: JSON], position: Int64) async throws {
    switch step {
    case .createTables: try await noteWork(position)
    case .processRooms: try await fillRooms(progress)
    case .processUsers: try await fillUsers(progress)
    case .cleanUp: try await finishFilling()
    }
  }

  private func noteWork(_ position: Int64) async throws {
    try await database.transaction("populate_user_directory_createtables") { txn in
      let statements: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS _temp_populate_user_directory_rooms AS
        SELECT room_id, count(*) AS events FROM current_state_events GROUP BY room_id
        """,
        """
        CREATE INDEX IF NOT EXISTS _temp_populate_user_directory_rooms_rm ON _temp_populate_user_directory_rooms (room_id)
        """,
        """
        CREATE INDEX IF NOT EXISTS _temp_populate_user_directory_rooms_evs ON _temp_populate_user_directory_rooms (events)
        """,
        "CREATE TABLE IF NOT EXISTS _temp_populate_user_directory_position (position bigint NOT NULL)",
        "CREATE TABLE IF NOT EXISTS _temp_populate_user_directory_users AS SELECT name AS user_id FROM users",
        """
        CREATE INDEX IF NOT EXISTS _temp_populate_user_directory_users_idx ON _temp_populate_user_directory_users (user_id)
        """,
      ]
      for statement in statements { txn.enqueue(statement.uncached()) }
      txn.enqueue("INSERT INTO _temp_populate_user_directory_position VALUES (\(position)::bigint)")
      BackgroundUpdateStore.enqueueEnd(of: UserDirectoryFilling.createTables.rawValue, in: txn)
    }
  }

  private func fillRooms(_ earlier: [Text: JSON]) async throws {
    let name = UserDirectoryFilling.processRooms.rawValue
    var progress = earlier
    if progress["remaining"]?.integer == nil {
      guard let remaining = try await beginRooms(name) else { return }
      progress["remaining"] = .integer(remaining)
    }
    let rooms = try await database.run(
      """
      SELECT room_id, events FROM _temp_populate_user_directory_rooms
      ORDER BY events DESC LIMIT \(Self.roomsAtOnce)::bigint
      """
    ).map { try $0.decode(Text.self, Int64.self) }
    guard !rooms.isEmpty else {
      try await database.transaction("populate_user_directory", isolation: .readCommitted) {
        BackgroundUpdateStore.enqueueEnd(of: name, in: $0)
      }
      return
    }
    let open = try await openness(of: rooms.map { RoomID(unchecked: $0.0) })
    var entries: Int64 = 0
    for (room, count) in rooms where entries <= Self.entriesAtOnce {
      let roomID = RoomID(unchecked: room)
      try await fill(roomID, isOpen: open[roomID] ?? false)
      progress["remaining"] = .integer(max(0, (progress["remaining"]?.integer ?? 1) - 1))
      let reached = progress
      try await database.transaction("populate_user_directory", isolation: .readCommitted) { txn in
        txn.enqueue("DELETE FROM _temp_populate_user_directory_rooms WHERE room_id = \(room)")
        BackgroundUpdateStore.enqueueProgress(reached, of: name, in: txn)
      }
      entries += count
    }
  }

  /// Empties the directory and counts the rooms.
  ///
  /// - Returns: nil, and nothing is emptied, when another process has begun, or has done all of it, since this one looked.
  private func beginRooms(_ name: Text) async throws -> Int64? {
    try await database.transaction("delete_all_from_user_dir", isolation: .readCommitted) { txn in
      let update = try txn.query(
        "SELECT progress_json FROM background_updates WHERE update_name = \(name) FOR UPDATE")
      guard let row = update.first,
        try JSON.parse(try row.get(0, as: SQLText.self).bytes).members?["remaining"]?.integer == nil
      else { return nil }
      txn.enqueue(
        "TRUNCATE user_directory, user_directory_search, users_in_public_rooms, users_who_share_private_rooms")
      let rows = try txn.query("SELECT count(*) FROM _temp_populate_user_directory_rooms")
      let count = try rows.first?.get(0, as: Int64.self) ?? 0
      BackgroundUpdateStore.enqueueProgress(["remaining": .integer(count)], of: name, in: txn)
      return count
    }
  }

  /// Takes up all members of a room, and what those of other servers are called.
  private func fill(_ room: RoomID, isOpen: Bool) async throws {
    let isOurs = try await database.run(
      "SELECT 1 FROM local_current_membership WHERE room_id = \(room.rawValue) AND membership = 'join' LIMIT 1")
    guard !isOurs.isEmpty else { return }
    let rows = try await database.run(
      """
      SELECT m.user_id, m.display_name, m.avatar_url FROM current_state_events AS c
      JOIN room_memberships AS m ON m.event_id = c.event_id
      WHERE c.room_id = \(room.rawValue) AND c.type = 'm.room.member' AND c.membership = 'join'
        AND NOT \(isLocal("c.state_key"))
      """)
    let strangers = try rows.map { row in
      let (user, name, avatar) = try row.decode(Text.self, Text?.self, Text?.self)
      return UserDirectoryIndex.Entry(userID: UserID(unchecked: user), displayName: name, avatarURL: avatar)
    }
    for start in stride(from: 0, to: strangers.count, by: Self.usersAtOnce) {
      let some = Array(strangers[start..<min(start + Self.usersAtOnce, strangers.count)])
      try await database.transaction("update_profiles_in_user_dir", isolation: .readCommitted) {
        UserDirectoryIndex.enqueue(some, in: $0)
      }
    }
    if isOpen { try await reindex(room, isOpen: true) } else { try await addPairs(of: room) }
  }

  private func fillUsers(_ earlier: [Text: JSON]) async throws {
    let name = UserDirectoryFilling.processUsers.rawValue
    try await database.transaction("populate_user_directory_temp") { txn in
      let removed = try txn.query(
        """
        DELETE FROM _temp_populate_user_directory_users WHERE user_id IN (
          SELECT user_id FROM _temp_populate_user_directory_users ORDER BY user_id LIMIT \(Self.usersAtOnce)::bigint)
        RETURNING user_id
        """
      ).map { try $0.get(0, as: Text.self) }
      guard !removed.isEmpty else { return BackgroundUpdateStore.enqueueEnd(of: name, in: txn) }
      let rows = try txn.query(
        """
        SELECT users.name, p.displayname, p.avatar_url FROM users LEFT JOIN profiles AS p ON p.full_user_id = users.name
        WHERE users.name = ANY(\(removed)::text[]) AND \(UserDirectoryIndex.isListed)
        """)
      let entries = try rows.map { row in
        let (user, display, avatar) = try row.decode(Text.self, Text?.self, Text?.self)
        return UserDirectoryIndex.Entry(userID: UserID(unchecked: user), displayName: display, avatarURL: avatar)
      }
      UserDirectoryIndex.enqueue(entries, in: txn)
      let rest = try txn.query("SELECT count(*) FROM _temp_populate_user_directory_users").first?.get(0, as: Int64.self)
      BackgroundUpdateStore.enqueueProgress(["remaining": .integer(rest ?? 0)], of: name, in: txn)
    }
  }

  private func finishFilling() async throws {
    try await database.transaction("populate_user_directory_cleanup", isolation: .readCommitted) { txn in
      txn.enqueue(
        """
        UPDATE user_directory_stream_pos SET stream_id = p.position
        FROM (SELECT min(position) AS position FROM _temp_populate_user_directory_position) AS p
        WHERE p.position IS NOT NULL
        """)
      let statement: SQL = """
        DROP TABLE IF EXISTS _temp_populate_user_directory_rooms, _temp_populate_user_directory_users,
          _temp_populate_user_directory_position
        """
      txn.enqueue(statement.uncached())
      BackgroundUpdateStore.enqueueEnd(of: UserDirectoryFilling.cleanUp.rawValue, in: txn)
    }
  }
}
