import MatrixPrimitives
import Postgres

/// The background updates by which statistics are made from the rooms as they are.
public enum StatisticsFilling: Text, Sendable, CaseIterable {
  /// Counts rooms.
  case rooms = "populate_stats_process_rooms"
  /// Counts the rooms of accounts.
  case users = "populate_stats_process_users"

  /// Where the update's progress says how far it has come.
  var progressKey: Text {
    switch self {
    case .rooms: "last_room_id"
    case .users: "last_user_id"
    }
  }
}

extension StatisticsStore {
  private static let atOnce = 100

  /// Finds the next rooms to be counted; empty when all are.
  public func roomsToCount(_ progress: [Text: JSON]) async throws -> [RoomID] {
    let last = progress[StatisticsFilling.rooms.progressKey]?.string ?? ""
    // One room after the other by the index, instead of all rows of the state.
    return try await database.run(
      """
      SELECT room_id FROM rooms WHERE room_id > \(last)
        AND EXISTS (SELECT FROM current_state_events AS c WHERE c.room_id = rooms.room_id)
      ORDER BY room_id LIMIT \(Self.atOnce)::bigint
      """
    ).map { RoomID(unchecked: try $0.get(0, as: Text.self)) }
  }

  /// Writes the numbers of a room as its state is now, with what the state says.
  ///
  /// Changes that the numbers include are not to be added to them: the room is right up to the last of them.
  /// - Parameter position: the point up to which the stream is known, for a room whose changes are not kept.
  public func count(_ room: RoomID, _ state: RoomStatisticsState, position: Int64) async throws {
    let progress: [Text: JSON] = [StatisticsFilling.rooms.progressKey: .string(room.rawValue)]
    let server = serverName
    try await database.transaction("get_initial_state_for_room") { txn in
      Self.enqueueStates([room: state], in: txn)
      txn.enqueue(
        """
        INSERT INTO room_stats_current (room_id, current_state_events, joined_members, invited_members, knocked_members,
          left_members, banned_members, local_users_in_room, completed_delta_stream_id)
        SELECT \(room.rawValue), count(*), count(*) FILTER (WHERE membership = 'join'),
          count(*) FILTER (WHERE membership = 'invite'), count(*) FILTER (WHERE membership = 'knock'),
          count(*) FILTER (WHERE membership = 'leave'), count(*) FILTER (WHERE membership = 'ban'),
          count(*) FILTER (WHERE membership = 'join'
            AND right(state_key, length(\(server)::text) + 1) = ':' || \(server)::text),
          GREATEST(\(position)::bigint,
            (SELECT max(stream_id) FROM current_state_delta_stream WHERE room_id = \(room.rawValue)))
        FROM current_state_events WHERE room_id = \(room.rawValue)
        ON CONFLICT (room_id) DO UPDATE SET
          current_state_events = EXCLUDED.current_state_events, joined_members = EXCLUDED.joined_members,
          invited_members = EXCLUDED.invited_members, knocked_members = EXCLUDED.knocked_members,
          left_members = EXCLUDED.left_members, banned_members = EXCLUDED.banned_members,
          local_users_in_room = EXCLUDED.local_users_in_room,
          completed_delta_stream_id = EXCLUDED.completed_delta_stream_id
        """)
      BackgroundUpdateStore.enqueueProgress(progress, of: StatisticsFilling.rooms.rawValue, in: txn)
    }
  }

  /// Counts the rooms of the next accounts.
  ///
  /// - Returns: whether there were any.
  public func countUsers(_ progress: [Text: JSON]) async throws -> Bool {
    let last = progress[StatisticsFilling.users.progressKey]?.string ?? ""
    return try await database.transaction("calculate_and_set_initial_state_for_user") { txn in
      let users = try txn.query(
        "SELECT name FROM users WHERE name > \(last) ORDER BY name LIMIT \(Self.atOnce)::bigint"
      )
      .map { try $0.get(0, as: Text.self) }
      guard let reached = users.last else { return false }
      txn.enqueue(
        """
        INSERT INTO user_stats_current (user_id, joined_rooms, completed_delta_stream_id)
        SELECT u, (SELECT count(DISTINCT c.room_id) FROM current_state_events AS c
            WHERE c.type = 'm.room.member' AND c.state_key = u AND c.membership = 'join'),
          COALESCE((SELECT max(stream_id) FROM current_state_delta_stream), 1)
        FROM unnest(\(users)::text[]) AS u
        ON CONFLICT (user_id) DO UPDATE SET joined_rooms = EXCLUDED.joined_rooms,
          completed_delta_stream_id = EXCLUDED.completed_delta_stream_id
        """)
      BackgroundUpdateStore.enqueueProgress(
        [StatisticsFilling.users.progressKey: .string(reached)], of: StatisticsFilling.users.rawValue, in: txn)
      return true
    }
  }
}
