import MatrixPrimitives
import Postgres

/// What only syncing asks: the positions of the streams, members that name a room.
public final class SyncStore: Sendable {
  let database: PostgresClient

  /// Makes the store, which remembers nothing.
  public init(_ context: StoreContext) { database = context.database }

  /// Returns whether a user has sent an event into one of the rooms, or a receipt, after positions of the streams.
  ///
  /// Cost: one statement.
  public func hasWritten(
    _ user: UserID, eventsIn rooms: [RoomID], after position: Int64, receiptsAfter receiptPosition: Int64
  ) async throws -> Bool {
    let rows = try await database.run(
      """
      SELECT EXISTS (
          SELECT 1 FROM events WHERE room_id = ANY(\(rooms.map(\.rawValue))::text[])
            AND stream_ordering > \(position)::bigint AND sender = \(user.rawValue)
        ) OR EXISTS (
          SELECT 1 FROM receipts_linearized
          WHERE user_id = \(user.rawValue) AND stream_id > \(receiptPosition)::bigint)
      """)
    return try rows.first?.get(0) ?? false
  }

  /// Returns for each room up to six members by whom a room without a name is called, best first: those joined, then
  /// invited, then those who left or were banned, each in the order in which they came.
  public func namingMembers(of rooms: [RoomID]) async throws -> [RoomID: [(user: UserID, membership: Text)]] {
    guard !rooms.isEmpty else { return [:] }
    let rows = try await database.run(
      """
      SELECT q.room_id, m.state_key, m.membership FROM unnest(\(rooms.map(\.rawValue))::text[]) AS q (room_id),
      LATERAL (
        SELECT c.state_key, c.membership FROM current_state_events AS c
        WHERE c.room_id = q.room_id AND c.type = 'm.room.member' AND c.membership IN ('join', 'invite', 'leave', 'ban')
        ORDER BY CASE c.membership WHEN 'join' THEN 1 WHEN 'invite' THEN 2 WHEN 'leave' THEN 3 ELSE 4 END,
          c.event_stream_ordering
        LIMIT 6
      ) AS m
      """)
    var members: [RoomID: [(user: UserID, membership: Text)]] = [:]
    for row in rows {
      let (room, user, membership) = try row.decode(Text.self, Text.self, Text.self)
      members[RoomID(unchecked: room), default: []].append((UserID(unchecked: user), membership))
    }
    return members
  }

  /// Finds those among some rooms that are in the list of published rooms.
  public func published(among rooms: [RoomID]) async throws -> Set<RoomID> {
    guard !rooms.isEmpty else { return [] }
    let rows = try await database.run(
      "SELECT room_id FROM rooms WHERE room_id = ANY(\(rooms.map(\.rawValue))::text[]) AND is_public")
    return Set(try rows.map { RoomID(unchecked: try $0.get(0, as: Text.self)) })
  }
}
