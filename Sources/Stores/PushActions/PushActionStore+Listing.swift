import MatrixEvents
import MatrixPrimitives
import Postgres

extension PushActionStore {
  /// An event that a user was notified of.
  public struct Notification: Sendable {
    /// The event.
    public let eventID: EventID
    /// Its room.
    public let roomID: RoomID
    /// Its place in the stream, by which notifications are paged.
    public let streamOrdering: Int64
    /// The actions of the push rule that matched, tweaks included.
    public let actions: [JSON]
    /// The profile whose push rule matched; always nil for rules of this age.
    public let profileTag: Text?
    /// The time at which the event came, in milliseconds.
    public let receivedTS: Int64
    /// Whether the user has sent a receipt for the event or for a later one, of its thread or of none.
    public let isRead: Bool
  }

  /// Reads a page of what a user was notified of, newest first. Read events are there until the sums are rotated, which keeps highlights.
  ///
  /// - Parameters:
  ///   - before: the place in the stream that all lie before; nil for the newest.
  ///   - limit: the greatest number.
  ///   - onlyHighlights: whether only highlights are wanted.
  public func notifications(
    of user: UserID, before: Int64?, limit: Int, onlyHighlights: Bool
  ) async throws -> [Notification] {
    let highlights: SQL = onlyHighlights ? " AND a.highlight = 1" : ""
    let rows = try await database.run(
      """
      SELECT a.event_id, a.room_id, a.stream_ordering, a.actions, a.highlight, a.profile_tag, e.received_ts, EXISTS (
          SELECT 1 FROM receipts_linearized AS r JOIN events AS seen ON seen.event_id = r.event_id
          WHERE r.user_id = a.user_id AND r.room_id = a.room_id AND r.receipt_type IN ('m.read', 'm.read.private')
            AND (r.thread_id IS NULL OR r.thread_id = a.thread_id)
            AND (seen.topological_ordering, seen.stream_ordering) >= (a.topological_ordering, a.stream_ordering))
      FROM event_push_actions AS a JOIN events AS e ON e.event_id = a.event_id
      WHERE a.user_id = \(user.rawValue) AND a.notif = 1 AND a.stream_ordering < \(before ?? .max)::bigint\(highlights)
      ORDER BY a.stream_ordering DESC LIMIT \(Int64(limit))::bigint
      """)
    return try rows.map { row in
      let (event, room, stream, actions, highlight, tag, received, isRead) = try row.decode(
        Text.self, Text.self, Int64.self, Text?.self, Int64?.self, Text?.self, Int64?.self, Bool.self)
      return Notification(
        eventID: EventID(unchecked: event), roomID: RoomID(unchecked: room), streamOrdering: stream,
        actions: try PushAction.actions(stored: actions ?? "", isHighlight: highlight == 1), profileTag: tag,
        receivedTS: received ?? 0, isRead: isRead)
    }
  }
}
