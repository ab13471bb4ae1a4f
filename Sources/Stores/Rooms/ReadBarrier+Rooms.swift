import MatrixPrimitives

extension ReadBarrier {
  /// Waits for the events of a room, and so for its state and members.
  public func pass(room: RoomID) async throws {
    try await pass(
      .events, .events,
      """
      SELECT stream_ordering, COALESCE(instance_name, 'master') FROM events WHERE room_id = \(room.rawValue)
      ORDER BY stream_ordering DESC LIMIT 1
      """)
  }

  /// Waits for a local user's memberships of all rooms.
  public func pass(membershipsOf user: UserID) async throws {
    try await pass(
      .events, .events,
      """
      SELECT e.stream_ordering, COALESCE(e.instance_name, 'master')
      FROM local_current_membership AS l JOIN events AS e ON e.event_id = l.event_id
      WHERE l.user_id = \(user.rawValue) ORDER BY l.event_stream_ordering DESC NULLS LAST LIMIT 1
      """)
  }
}
