import MatrixEvents
import MatrixPrimitives
import Postgres

/// What a transaction that writes events writes about the graph of rooms.
extension RoomStore {
  /// Requires rooms to exist, and keeps them from being deleted meanwhile.
  package static func require(_ rooms: [RoomID], in txn: Transaction, otherwise refusal: any Error) {
    txn.require(
      """
      \(Int64(rooms.count))::bigint = (
        SELECT count(*) FROM (
          SELECT 1 FROM rooms WHERE room_id = ANY(\(unseen: rooms.map(\.rawValue))) FOR KEY SHARE) AS room)
      """, otherwise: refusal)
  }

  /// The new forward extremities of a room.
  package struct Extremities {
    let room: RoomID
    let events: [EventID]
    let stream: Int64

    /// Describes extremities that hold from a place of the stream on.
    package init(room: RoomID, events: [EventID], stream: Int64) {
      self.room = room
      self.events = events
      self.stream = stream
    }
  }

  /// Replaces the forward extremities of rooms.
  package static func enqueue(_ changes: [Extremities], in txn: Transaction) {
    var (rooms, ids, streams): ([Text], [Text], [Int64]) = ([], [], [])
    for change in changes {
      for id in change.events.map(\.rawValue).sorted() {
        rooms.append(change.room.rawValue)
        ids.append(id)
        streams.append(change.stream)
      }
    }
    guard !ids.isEmpty else { return }
    txn.enqueue(
      """
      DELETE FROM event_forward_extremities
      WHERE room_id = ANY(\(unseen: Set(rooms).sorted())) AND event_id <> ALL(\(ids)::text[])
      """)
    txn.enqueue(
      """
      INSERT INTO event_forward_extremities (event_id, room_id)
      SELECT * FROM unnest(\(ids)::text[], \(rooms)::text[]) ON CONFLICT DO NOTHING
      """)
    txn.enqueue(
      """
      INSERT INTO stream_ordering_to_exterm (room_id, event_id, stream_ordering)
      SELECT * FROM unnest(\(rooms)::text[], \(ids)::text[], \(streams)::bigint[])
      """)
  }

  /// Lowers the least depth of a room's events.
  package static func enqueueDepth(_ least: Int64, of room: RoomID, in txn: Transaction) {
    txn.enqueue(
      """
      INSERT INTO room_depth (room_id, min_depth) VALUES (\(room.rawValue), \(least)::bigint)
      ON CONFLICT (room_id) DO UPDATE SET min_depth = EXCLUDED.min_depth
      WHERE room_depth.min_depth IS NULL OR room_depth.min_depth > EXCLUDED.min_depth
      """)
  }

  /// Records events that are referred to but not here, and where in the timeline the gap is; forgets those that have come.
  package static func enqueueGaps(
    before events: [(event: Event, stream: Int64)], room: RoomID, instanceName: Text, in txn: Transaction
  ) {
    guard !events.isEmpty else { return }
    let room = room.rawValue
    let links = events.flatMap { entry in entry.event.prevEvents.map { (entry.stream, $0.rawValue) } }
    if !links.isEmpty {
      let missing: SQL = """
        unnest(\(links.map(\.0))::bigint[], \(links.map(\.1))::text[]) AS q(stream, id)
        WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = q.id AND NOT e.outlier)
        """
      txn.enqueue(
        """
        INSERT INTO event_backward_extremities (event_id, room_id)
        SELECT DISTINCT q.id, \(room) FROM \(missing) ON CONFLICT DO NOTHING
        """)
      txn.enqueue(
        """
        INSERT INTO timeline_gaps (room_id, instance_name, stream_ordering)
        SELECT DISTINCT \(room), \(instanceName), q.stream FROM \(missing)
        """)
    }
    let ids = events.map(\.event.eventID.rawValue)
    txn.enqueue(
      "DELETE FROM event_backward_extremities WHERE room_id = \(room) AND event_id = ANY(\(ids)::text[])")
    txn.enqueue(
      "DELETE FROM event_failed_pull_attempts WHERE room_id = \(room) AND event_id = ANY(\(ids)::text[])")
  }

  /// Writes what events say of how long a room's events are kept.
  package static func enqueueRetention(_ events: [NewEvent], room: RoomID, in txn: Transaction) {
    for event in events {
      guard let policy = RetentionPolicy(event.event) else { continue }
      txn.enqueue(
        """
        INSERT INTO room_retention (room_id, event_id, min_lifetime, max_lifetime)
        VALUES (\(room.rawValue), \(event.id), \(policy.minimum)::bigint, \(policy.maximum)::bigint)
        """)
    }
  }
}
