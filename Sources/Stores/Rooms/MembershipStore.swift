import Collections
import MatrixEvents
import MatrixPrimitives
import Postgres
import StorageEngine

/// The users in each room: `current_state_events` by room, `local_current_membership` by local user.
///
/// Both caches follow the rows of the `events` stream. The members of a room are kept as a tree that shares its structure
/// between versions, so that a join into a room of ten thousand costs one entry.
public final class MembershipStore: Sendable {
  let database: PostgresClient
  let serverName: Text
  let members: Cache<RoomID, RoomMembers>
  let roomsOfUser: Cache<UserID, [RoomForUser]>
  let invalidator: CacheInvalidator

  init(_ context: StoreContext) {
    database = context.database
    serverName = context.config.serverName
    invalidator = context.invalidator
    let caches = context.caches
    members = caches.cache("get_users_in_room", byteBudget: 32 << 20) { $1.weight }
    roomsOfUser = caches.cache("get_rooms_for_local_user_where_membership_is_inner", byteBudget: 32 << 20) {
      256 + $1.count * 400
    }
    follow(context)
  }

  // MARK: by room

  /// Reads all members of a room, whatever their membership; empty when the server is not in the room.
  public func members(_ room: RoomID) async throws -> RoomMembers {
    try await members.value(room) { [database, serverName] in
      let found = try await database.run(
        """
        SELECT state_key, membership, event_id FROM current_state_events
        WHERE room_id = \(room.rawValue) AND type = 'm.room.member'
        """)
      var entries: [(UserID, RoomMember)] = []
      entries.reserveCapacity(found.count)
      for row in found {
        let (user, membership, event) = try row.decode(Text.self, Text?.self, Text.self)
        guard let membership = membership.flatMap(Membership.init(rawValue:)) else { continue }
        entries.append(
          (UserID(unchecked: user), RoomMember(membership: membership, eventID: EventID(unchecked: event))))
      }
      return RoomMembers(entries, serverName: serverName)
    }
  }

  /// Lists the users who are in a room, local or not, in no particular order.
  public func joinedUsers(_ room: RoomID) async throws -> [UserID] { try await members(room).users(.join) }

  /// Lists the users of this server who are in a room.
  public func localJoinedUsers(_ room: RoomID) async throws -> [UserID] {
    try await members(room).localJoinedUsers
  }

  /// Counts the joined and the invited members of a room.
  public func memberCounts(_ room: RoomID) async throws -> (joined: Int, invited: Int) {
    let members = try await members(room)
    return (members.count(.join), members.count(.invite))
  }

  /// Finds a user's relation to a room, by the room's current state.
  ///
  /// Reads a single row when the room is not cached. A local user's membership of a room that the server has left is
  /// found by ``rooms(for:memberships:)`` only.
  public func membership(of user: UserID, in room: RoomID) async throws -> RoomMember? {
    if let cached = members.peek(room) { return cached[user] }
    let found = try await database.run(
      """
      SELECT membership, event_id FROM current_state_events
      WHERE room_id = \(room.rawValue) AND type = 'm.room.member' AND state_key = \(user.rawValue)
      """)
    guard let row = found.first else { return nil }
    let (membership, event) = try row.decode(Text?.self, Text.self)
    return membership.flatMap(Membership.init(rawValue:))
      .map { RoomMember(membership: $0, eventID: EventID(unchecked: event)) }
  }

  /// Returns whether a user is in a room.
  public func isJoined(_ user: UserID, in room: RoomID) async throws -> Bool {
    try await membership(of: user, in: room)?.membership == .join
  }

  // MARK: by user

  /// Lists the rooms to which a local user has one of the given relations, forgotten ones included.
  public func rooms(for user: UserID, memberships: Set<Membership>) async throws -> [RoomForUser] {
    try await allRooms(for: user).filter { memberships.contains($0.membership) }
  }

  /// Finds a local user's relation to a room, also when the server is not in it.
  public func room(_ room: RoomID, for user: UserID) async throws -> RoomForUser? {
    try await allRooms(for: user).first { $0.roomID == room }
  }

  /// Lists all rooms to which a local user has ever had any relation.
  public func allRooms(for user: UserID) async throws -> [RoomForUser] {
    try await roomsOfUser.value(user) { [database] in
      let found = try await database.run(
        """
        SELECT l.room_id, l.membership, l.event_id, e.sender, e.stream_ordering,
          COALESCE(e.instance_name, 'master'), COALESCE(r.room_version, '1'), COALESCE(m.forgotten, 0) = 1
        FROM local_current_membership AS l JOIN events AS e ON e.event_id = l.event_id
        LEFT JOIN rooms AS r ON r.room_id = l.room_id
        LEFT JOIN room_memberships AS m ON m.event_id = l.event_id
        WHERE l.user_id = \(unseen: user.rawValue)
        """)
      return try found.compactMap(Self.roomForUser)
    }
  }

  private static func roomForUser(_ row: PostgresRow) throws -> RoomForUser? {
    let (room, membership, event, sender, stream, instance, version, forgotten) = try row.decode(
      Text.self, Text.self, Text.self, Text.self, Int64.self, Text.self, Text.self, Bool.self)
    guard let membership = Membership(rawValue: membership) else { return nil }
    return RoomForUser(
      roomID: RoomID(unchecked: room), membership: membership, eventID: EventID(unchecked: event),
      sender: UserID(unchecked: sender), streamOrdering: stream, instanceName: instance,
      roomVersion: RoomVersion.named(version), isForgotten: forgotten)
  }

  /// Returns whether a user has forgotten a room.
  public func didForget(_ user: UserID, _ room: RoomID) async throws -> Bool {
    try await self.room(room, for: user)?.isForgotten ?? false
  }

  /// Lists the rooms that a user has forgotten.
  public func forgottenRooms(_ user: UserID) async throws -> Set<RoomID> {
    Set(try await allRooms(for: user).lazy.filter(\.isForgotten).map(\.roomID))
  }

  /// Lists the users who are in a room together with `user`, `user` excluded unless alone counts; each one once.
  public func usersSharingRooms(with user: UserID) async throws -> Set<UserID> {
    var users: Set<UserID> = []
    for room in try await rooms(for: user, memberships: [.join]) {
      users.formUnion(try await joinedUsers(room.roomID))
    }
    users.remove(user)
    return users
  }

  /// Lists the rooms that two local users are both in.
  public func sharedRooms(_ one: UserID, _ other: UserID) async throws -> Set<RoomID> {
    let ones = Set(try await rooms(for: one, memberships: [.join]).map(\.roomID))
    return ones.intersection(try await rooms(for: other, memberships: [.join]).map(\.roomID))
  }

  /// Reads the display names and avatars of a room's joined members as in the room's state.
  public func joinedProfiles(
    _ room: RoomID
  ) async throws -> [(userID: UserID, displayName: Text?, avatarURL: Text?)] {
    let found = try await database.run(
      """
      SELECT c.state_key, m.display_name, m.avatar_url FROM current_state_events AS c
      JOIN room_memberships AS m ON m.event_id = c.event_id
      WHERE c.room_id = \(room.rawValue) AND c.type = 'm.room.member' AND c.membership = 'join'
      """)
    return try found.map { row in
      let (user, name, avatar) = try row.decode(Text.self, Text?.self, Text?.self)
      return (UserID(unchecked: user), name, avatar)
    }
  }

  /// Lists up to `limit` members by whom a room without a name is called, in the order in which they came: those joined or
  /// invited, else those who left or were banned; `user` excluded.
  public func heroes(_ room: RoomID, for user: UserID, limit: Int = 5) async throws -> [UserID] {
    let found = try await database.run(
      """
      SELECT c.state_key FROM current_state_events AS c
      WHERE c.room_id = \(room.rawValue) AND c.type = 'm.room.member' AND c.state_key <> \(user.rawValue)
        AND c.membership IN ('join', 'invite', 'leave', 'ban')
      ORDER BY c.membership NOT IN ('join', 'invite'), c.event_stream_ordering LIMIT \(Int64(limit))::bigint
      """)
    let active = try await members(room)
    let users = try found.map { UserID(unchecked: try $0.get(0, as: Text.self)) }
    let present = users.filter { active[$0].map { $0.membership == .join || $0.membership == .invite } ?? false }
    return present.isEmpty ? users : present
  }

  // MARK: following the stream

  /// Applies a change of the current state to the cached members of a room.
  ///
  /// - Parameters:
  ///   - eventID: the new membership event; nil when the entry was removed.
  ///   - membership: that event's membership; nil when it is not known, which drops the room from the cache.
  public func apply(room: RoomID, user: UserID, eventID: EventID?, membership: Membership?) {
    roomsOfUser.invalidate(user)
    guard let cached = members.peek(room), eventID == nil || membership != nil else {
      members.invalidate(room)
      return
    }
    let member = eventID.flatMap { event in membership.map { RoomMember(membership: $0, eventID: event) } }
    members.insert(room, cached.setting(user, member))
  }

  /// Drops everything remembered about a room's members.
  public func invalidate(room: RoomID) { members.invalidate(room) }

  /// Drops the remembered rooms of a user.
  public func invalidate(user: UserID) { roomsOfUser.invalidate(user) }
}
