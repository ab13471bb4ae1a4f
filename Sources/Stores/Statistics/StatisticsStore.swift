import MatrixEvents
import MatrixPrimitives
import Postgres

/// Changes of a room's numbers.
public struct RoomCounts: Sendable, Hashable {
  /// Entries of the current state.
  public var stateEvents: Int64 = 0
  /// Members by membership: `join`, `invite`, `knock`, `leave`, `ban`.
  public var members: [Text: Int64] = [:]
  /// Joined users of this server.
  public var localUsers: Int64 = 0

  /// Makes numbers without a change.
  public init() {}
}

/// What of a room's state is kept with its numbers, by column; nil for what the state says nothing (any more) about.
public struct RoomStatisticsState: Sendable {
  /// The columns of texts that the state says something about.
  public var texts: [Text: Text?] = [:]
  /// Whether other servers may take part; nil when that is not said anew.
  public var isFederatable: Bool?

  /// Makes a change of nothing.
  public init() {}
}

/// Statistics of rooms and users: `room_stats_state`, `room_stats_current`, `user_stats_current`, and the position up to which they are right.
public final class StatisticsStore: Sendable {
  /// Changes that a part of the stream makes, written together.
  public struct Changes: Sendable {
    /// Numbers by room.
    public var rooms: [RoomID: RoomCounts] = [:]
    /// State by room.
    public var states: [RoomID: RoomStatisticsState] = [:]
    /// Changes of the number of rooms that users of this server are in.
    public var joinedRooms: [UserID: Int64] = [:]
    /// Up to where rooms had been counted by themselves when the changes were made out; nil for those without numbers.
    public var counted: [RoomID: Int64?] = [:]

    /// Makes no changes.
    public init() {}
  }

  let database: PostgresClient
  let serverName: Text

  init(_ context: StoreContext) {
    database = context.database
    serverName = context.config.serverName
  }

  /// Reads up to which point of the events stream everything is counted.
  public func position() async throws -> Int64 {
    try await database.run("SELECT stream_id FROM stats_incremental_position").first?.get(0, as: Int64.self) ?? 0
  }

  /// Reads up to which point rooms have been counted by themselves; changes up to there are in their numbers. Absent without numbers.
  public func counted(_ rooms: [RoomID]) async throws -> [RoomID: Int64] {
    let rows = try await database.run(
      """
      SELECT room_id, completed_delta_stream_id FROM room_stats_current
      WHERE room_id = ANY(\(rooms.map(\.rawValue))::text[])
      """)
    return try rows.reduce(into: [:]) { result, row in
      result[RoomID(unchecked: try row.get(0, as: Text.self))] = try row.get(1, as: Int64.self)
    }
  }

  /// Reads the memberships that events state; those that are not stored are absent.
  public func memberships(_ events: [EventID]) async throws -> [EventID: Text] {
    guard !events.isEmpty else { return [:] }
    let rows = try await database.run(
      "SELECT event_id, membership FROM room_memberships WHERE event_id = ANY(\(events.map(\.rawValue))::text[])")
    return try rows.reduce(into: [:]) { result, row in
      result[EventID(unchecked: try row.get(0, as: Text.self))] = try row.get(1, as: Text.self)
    }
  }

  /// Adds changes, and moves the position with them.
  ///
  /// - Returns: false, and nothing is written, when somebody else has moved it, or has counted one of the rooms meanwhile.
  public func apply(_ changes: Changes, from old: Int64, to new: Int64) async throws -> Bool {
    // Were the commit lost in a crash, position and numbers would be lost together.
    try await database.transaction("bulk_update_stats_delta", isolation: .readCommitted) { txn in
      txn.enqueue("SET LOCAL synchronous_commit TO off")
      guard try Self.isCounted(changes.counted, in: txn) else { return false }
      let moved = try txn.execute(
        "UPDATE stats_incremental_position SET stream_id = \(new)::bigint WHERE stream_id = \(old)::bigint")
      guard moved == 1 else { return false }
      Self.enqueueStates(changes.states, in: txn)
      self.enqueueRooms(changes.rooms, completed: new, in: txn)
      self.enqueueUsers(changes.joinedRooms, completed: new, in: txn)
      return true
    }
  }

  /// Returns whether rooms are still counted as they were, and keeps them from being counted anew.
  private static func isCounted(_ counted: [RoomID: Int64?], in txn: Transaction) throws -> Bool {
    guard !counted.isEmpty else { return true }
    let rows = try txn.query(
      """
      SELECT room_id, completed_delta_stream_id FROM room_stats_current
      WHERE room_id = ANY(\(counted.keys.map(\.rawValue))::text[]) ORDER BY room_id FOR UPDATE
      """)
    var found: [RoomID: Int64] = [:]
    for row in rows { found[RoomID(unchecked: try row.get(0, as: Text.self))] = try row.get(1, as: Int64.self) }
    return counted.allSatisfy { found[$0.key] == $0.value }
  }

  /// The columns of `room_stats_state` that hold texts.
  static let textColumns: [Text] = [
    "name", "canonical_alias", "join_rules", "history_visibility", "encryption", "avatar", "guest_access", "topic",
    "room_type",
  ]

  static func enqueueStates(_ states: [RoomID: RoomStatisticsState], in txn: Transaction) {
    guard !states.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO room_stats_state (room_id) SELECT unnest(\(states.keys.map(\.rawValue))::text[]) ON CONFLICT DO NOTHING
      """)
    for column in textColumns {
      let changed = states.compactMap { room, state in state.texts[column].map { (room.rawValue, $0) } }
      guard !changed.isEmpty else { continue }
      txn.enqueue(
        """
        UPDATE room_stats_state AS s SET \(identifier: column) = t.value
        FROM unnest(\(changed.map(\.0))::text[], \(changed.map(\.1))::text[]) AS t(room, value)
        WHERE s.room_id = t.room
        """)
    }
    let federatable = states.compactMap { room, state in state.isFederatable.map { (room.rawValue, $0) } }
    guard !federatable.isEmpty else { return }
    txn.enqueue(
      """
      UPDATE room_stats_state AS s SET is_federatable = t.value
      FROM unnest(\(federatable.map(\.0))::text[], \(federatable.map(\.1))::boolean[]) AS t(room, value)
      WHERE s.room_id = t.room
      """)
  }

  private func enqueueRooms(_ rooms: [RoomID: RoomCounts], completed: Int64, in txn: Transaction) {
    guard !rooms.isEmpty else { return }
    // In one order, so that nobody who writes several waits for another one.
    let sorted = rooms.sorted { $0.key.rawValue < $1.key.rawValue }
    func numbers(_ membership: Text) -> [Int64] { sorted.map { $0.value.members[membership] ?? 0 } }
    txn.enqueue(
      """
      INSERT INTO room_stats_current AS s (room_id, current_state_events, joined_members, invited_members, knocked_members,
        left_members, banned_members, local_users_in_room, completed_delta_stream_id)
      SELECT t.*, \(completed)::bigint FROM unnest(\(sorted.map(\.key.rawValue))::text[],
        \(sorted.map(\.value.stateEvents))::bigint[], \(numbers("join"))::bigint[], \(numbers("invite"))::bigint[],
        \(numbers("knock"))::bigint[], \(numbers("leave"))::bigint[], \(numbers("ban"))::bigint[],
        \(sorted.map(\.value.localUsers))::bigint[]) AS t
      ON CONFLICT (room_id) DO UPDATE SET
        current_state_events = s.current_state_events + EXCLUDED.current_state_events,
        joined_members = s.joined_members + EXCLUDED.joined_members,
        invited_members = s.invited_members + EXCLUDED.invited_members,
        knocked_members = COALESCE(s.knocked_members, 0) + EXCLUDED.knocked_members,
        left_members = s.left_members + EXCLUDED.left_members,
        banned_members = s.banned_members + EXCLUDED.banned_members,
        local_users_in_room = s.local_users_in_room + EXCLUDED.local_users_in_room,
        completed_delta_stream_id = EXCLUDED.completed_delta_stream_id
      """)
  }

  private func enqueueUsers(_ users: [UserID: Int64], completed: Int64, in txn: Transaction) {
    guard !users.isEmpty else { return }
    let sorted = users.sorted { $0.key.rawValue < $1.key.rawValue }
    txn.enqueue(
      """
      INSERT INTO user_stats_current AS s (user_id, joined_rooms, completed_delta_stream_id)
      SELECT t.*, \(completed)::bigint
      FROM unnest(\(sorted.map(\.key.rawValue))::text[], \(sorted.map(\.value))::bigint[]) AS t
      ON CONFLICT (user_id) DO UPDATE SET joined_rooms = s.joined_rooms + EXCLUDED.joined_rooms,
        completed_delta_stream_id = EXCLUDED.completed_delta_stream_id
      """)
  }
}
