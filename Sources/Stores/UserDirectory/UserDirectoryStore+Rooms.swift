import MatrixPrimitives
import Postgres

extension UserDirectoryStore {
  /// Makes the rows about some members agree with the rooms as they are now, in one transaction of one round trip or two.
  ///
  /// Those who have left are no longer found through the room; nobody is who was in a room that this server is no longer in. Users of other
  /// servers who are then found through no room at all go from the directory.
  /// - Parameters:
  ///   - members: the members, at most ``membersAtOnce`` in private rooms.
  ///   - open: the rooms of them through which everybody finds their members.
  public func update(_ members: [Member], open: Set<RoomID>) async throws {
    let inOpen = members.filter { open.contains($0.roomID) }
    let inClosed = members.filter { !open.contains($0.roomID) }
    let rooms = Array(Set(members.map(\.roomID.rawValue)))
    let strangers = members.map(\.userID).filter { $0.serverName != serverName }.map(\.rawValue)
    try await database.transaction("update_user_directory", isolation: .readCommitted) { txn in
      // Those of other servers are known only by the pairs that go with the last member of this one.
      let abandoned = try self.removeAbandoned(rooms, in: txn)
      self.enqueueRemoval(of: members, in: txn)
      if !inOpen.isEmpty { txn.enqueue(self.openInsertion(inOpen)) }
      if !inClosed.isEmpty { txn.enqueue(self.pairInsertion(inClosed)) }
      let left = Set(strangers + abandoned)
      if !left.isEmpty { self.enqueueRemovalOfUnseen(Array(left), in: txn) }
    }
  }

  /// Makes the rows of a whole room agree with who may find its members now, in several transactions.
  ///
  /// - Parameter isOpen: whether everybody finds its members.
  public func reindex(_ room: RoomID, isOpen: Bool) async throws {
    if isOpen {
      try await execute(
        """
        INSERT INTO users_in_public_rooms (user_id, room_id)
        SELECT c.state_key, c.room_id FROM current_state_events AS c
        WHERE c.room_id = \(room.rawValue) AND c.type = 'm.room.member' AND c.membership = 'join'
          AND \(isListed("c.state_key"))
        ON CONFLICT DO NOTHING
        """)
      return try await removePairs(of: room)
    }
    // Pairs are kept as people join; only a room that was open has none. Its rows go last, so that whoever repeats this knows it.
    let wasOpen = try await database.run(
      "SELECT 1 FROM users_in_public_rooms WHERE room_id = \(room.rawValue) LIMIT 1")
    guard !wasOpen.isEmpty else { return }
    try await addPairs(of: room)
    try await execute("DELETE FROM users_in_public_rooms WHERE room_id = \(room.rawValue)")
  }

  /// Runs a statement on a connection of its own: one over the members of a large room takes longer than what shares a connection should.
  ///
  /// - Returns: the number of rows that it changed.
  @discardableResult
  private func execute(_ sql: SQL) async throws -> Int {
    try await database.transaction("update_user_directory_room", isolation: .readCommitted) { try $0.execute(sql) }
  }

  /// Writes the pairs of all members of a room.
  func addPairs(of room: RoomID) async throws {
    let rows = try await database.run(
      """
      SELECT c.state_key FROM current_state_events AS c
      WHERE c.room_id = \(room.rawValue) AND c.type = 'm.room.member' AND c.membership = 'join'
        AND \(isLocal("c.state_key")) AND \(isListed("c.state_key"))
      """)
    let users = try rows.map { UserID(unchecked: try $0.get(0, as: Text.self)) }
    for start in stride(from: 0, to: users.count, by: Self.membersAtOnce) {
      let some = users[start..<min(start + Self.membersAtOnce, users.count)]
      try await execute(pairInsertion(some.map { Member(roomID: room, userID: $0) }))
    }
  }

  private func removePairs(of room: RoomID) async throws {
    while true {
      let removed = try await execute(
        """
        DELETE FROM users_who_share_private_rooms WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM users_who_share_private_rooms WHERE room_id = \(room.rawValue)
          LIMIT \(Self.removedAtOnce)::bigint))
        """)
      if removed < Self.removedAtOnce { return }
    }
  }

  private func openInsertion(_ members: [Member]) -> SQL {
    """
    INSERT INTO users_in_public_rooms (user_id, room_id)
    SELECT t.member, t.room FROM \(Self.table(members))
    WHERE \(Self.isJoined("t.member", "t.room")) AND \(isListed("t.member"))
    ON CONFLICT DO NOTHING
    """
  }

  /// The pairs of some members with all others of their rooms; the first of a pair, who finds the other, is local.
  private func pairInsertion(_ members: [Member]) -> SQL {
    """
    INSERT INTO users_who_share_private_rooms (user_id, other_user_id, room_id)
    SELECT pair.finder, pair.found, t.room FROM \(Self.table(members))
    JOIN current_state_events AS o ON o.room_id = t.room AND o.type = 'm.room.member' AND o.membership = 'join'
      AND o.state_key <> t.member
    CROSS JOIN LATERAL (VALUES (t.member, o.state_key), (o.state_key, t.member)) AS pair(finder, found)
    WHERE \(Self.isJoined("t.member", "t.room")) AND \(isListed("t.member")) AND \(isListed("o.state_key"))
      AND \(isLocal("pair.finder"))
    ON CONFLICT DO NOTHING
    """
  }

  private func enqueueRemoval(of members: [Member], in txn: Transaction) {
    let table = Self.table(members)
    let hasLeft: SQL = "NOT \(Self.isJoined("t.member", "t.room"))"
    txn.enqueue(
      """
      DELETE FROM users_in_public_rooms AS p USING \(table)
      WHERE p.user_id = t.member AND p.room_id = t.room AND \(hasLeft)
      """)
    txn.enqueue(
      """
      DELETE FROM users_who_share_private_rooms AS p USING \(table)
      WHERE p.user_id = t.member AND p.room_id = t.room AND \(hasLeft)
      """)
    txn.enqueue(
      """
      DELETE FROM users_who_share_private_rooms AS p USING \(table)
      WHERE p.other_user_id = t.member AND p.room_id = t.room AND \(hasLeft)
      """)
  }

  /// Removes what is there because of rooms in which nobody of this server is any more.
  ///
  /// - Returns: the users of other servers who were found through them.
  private func removeAbandoned(_ rooms: [Text], in txn: Transaction) throws -> [Text] {
    let isAbandoned: SQL = """
      NOT EXISTS (SELECT FROM local_current_membership AS l
        WHERE l.room_id = p.room_id AND l.membership = 'join')
      """
    let removed = try txn.pipeline([
      """
      DELETE FROM users_in_public_rooms AS p WHERE p.room_id = ANY(\(rooms)::text[]) AND \(isAbandoned)
      RETURNING p.user_id
      """,
      """
      DELETE FROM users_who_share_private_rooms AS p WHERE p.room_id = ANY(\(rooms)::text[]) AND \(isAbandoned)
      RETURNING p.other_user_id
      """,
    ])
    return try removed.flatMap { rows in
      try rows.compactMap { row in
        let user = try row.get(0, as: Text.self)
        return user.hasSuffix(suffix) ? nil : user
      }
    }
  }

  /// Removes users of other servers who are found through no room.
  private func enqueueRemovalOfUnseen(_ users: [Text], in txn: Transaction) {
    func isUnseen(_ column: SQL) -> SQL {
      """
      \(column) = ANY(\(users)::text[])
        AND NOT EXISTS (SELECT FROM users_in_public_rooms AS p WHERE p.user_id = \(column))
        AND NOT EXISTS (SELECT FROM users_who_share_private_rooms AS s WHERE s.other_user_id = \(column))
      """
    }
    txn.enqueue("DELETE FROM user_directory AS d WHERE \(isUnseen("d.user_id"))")
    txn.enqueue("DELETE FROM user_directory_search AS d WHERE \(isUnseen("d.user_id"))")
  }
}
