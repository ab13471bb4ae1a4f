import MatrixEvents
import MatrixPrimitives
import Postgres

extension MembershipStore {
  /// Finds the event by which a user's last stay in a room ended: the first membership after the newest join.
  ///
  /// - Returns: nil for a user who was never joined, such as one who declined an invitation or retracted a knock.
  public func departure(of user: UserID, from room: RoomID) async throws -> EventPosition? {
    try await departures(of: user, from: [room])[room]
  }

  /// Finds the events by which a user's last stays in rooms ended; rooms in which the user never was joined are absent. To be asked about
  /// rooms only in which the user is not joined now.
  ///
  /// Cost: one statement.
  public func departures(of user: UserID, from rooms: [RoomID]) async throws -> [RoomID: EventPosition] {
    guard !rooms.isEmpty else { return [:] }
    let found = try await database.run(
      """
      SELECT DISTINCT ON (m.room_id) m.event_id, m.room_id, e.topological_ordering, e.stream_ordering,
        COALESCE(e.instance_name, 'master')
      FROM room_memberships AS m JOIN events AS e ON e.event_id = m.event_id
      WHERE m.user_id = \(user.rawValue) AND m.room_id = ANY(\(rooms.map(\.rawValue))::text[])
        AND m.membership <> 'join' AND e.rejection_reason IS NULL AND e.stream_ordering > (
          SELECT max(j.stream_ordering) FROM room_memberships AS s JOIN events AS j ON j.event_id = s.event_id
          WHERE s.user_id = m.user_id AND s.room_id = m.room_id AND s.membership = 'join'
            AND j.rejection_reason IS NULL AND NOT j.outlier)
      ORDER BY m.room_id, e.stream_ordering
      """)
    var departures: [RoomID: EventPosition] = [:]
    for row in found {
      let position = try EventStore.position(row)
      departures[position.roomID] = position
    }
    return departures
  }
}
