import MatrixEvents
import MatrixPrimitives
import Postgres

/// What a transaction that writes events writes about relations.
extension RelationStore {
  /// A relation that ends because its event is being redacted.
  package struct Ending: Sendable {
    /// The event that is redacted.
    package let eventID: EventID
    /// The event to which it was related.
    package let parentID: EventID
    /// The kind of relation.
    package let type: Text
  }

  /// Reads the relations of events that are about to be redacted.
  package func endings(of events: [EventID]) async throws -> [Ending] {
    guard !events.isEmpty else { return [] }
    let rows = try await database.run(
      """
      SELECT event_id, relates_to_id, relation_type FROM event_relations
      WHERE event_id = ANY(\(events.map(\.rawValue))::text[])
      """)
    return try rows.map { row in
      let (event, parent, type) = try row.decode(Text.self, Text.self, Text.self)
      return Ending(eventID: EventID(unchecked: event), parentID: EventID(unchecked: parent), type: type)
    }
  }

  /// Ends a relation of an event of a room.
  package static func enqueue(_ ending: Ending, room: RoomID, in txn: Transaction) {
    txn.enqueue("DELETE FROM event_relations WHERE event_id = \(ending.eventID.rawValue)")
    guard ending.type == EventRelation.Kind.thread else { return }
    let (room, root) = (room.rawValue, ending.parentID.rawValue)
    // The thread's newest event may have been the redacted one; a thread without events is none.
    txn.enqueue(
      """
      UPDATE threads AS t SET latest_event_id = n.event_id, topological_ordering = n.topological_ordering,
        stream_ordering = n.stream_ordering
      FROM (
        SELECT e.event_id, e.topological_ordering, e.stream_ordering
        FROM event_relations AS r JOIN events AS e ON e.event_id = r.event_id
        WHERE r.relates_to_id = \(root) AND r.relation_type = 'm.thread'
        ORDER BY e.topological_ordering DESC, e.stream_ordering DESC LIMIT 1) AS n
      WHERE t.room_id = \(room) AND t.thread_id = \(root)
      """)
    txn.enqueue(
      """
      DELETE FROM threads WHERE room_id = \(room) AND thread_id = \(root) AND NOT EXISTS (
        SELECT 1 FROM event_relations WHERE relates_to_id = \(root) AND relation_type = 'm.thread')
      """)
  }

  /// Writes to what a room's events are related.
  package static func enqueue(_ events: [NewEvent], room: RoomID, in txn: Transaction) {
    let related = events.compactMap { event in
      EventRelation(event.event.content).map { (event: event, relation: $0) }
    }
    guard !related.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_relations (event_id, relates_to_id, relation_type, aggregation_key)
      SELECT * FROM unnest(\(related.map(\.event.id))::text[], \(related.map(\.relation.parentID.rawValue))::text[],
        \(related.map(\.relation.type))::text[], \(related.map(\.relation.indexedKey))::text[])
      """)
    // In order, so that of several replies in one batch the newest remains.
    for entry in related where entry.relation.type == EventRelation.Kind.thread {
      txn.enqueue(
        """
        INSERT INTO threads (room_id, thread_id, latest_event_id, topological_ordering, stream_ordering)
        VALUES (\(room.rawValue), \(entry.relation.parentID.rawValue), \(entry.event.id),
          \(entry.event.event.depth)::bigint, \(entry.event.stored.streamOrdering)::bigint)
        ON CONFLICT (room_id, thread_id) DO UPDATE SET latest_event_id = EXCLUDED.latest_event_id,
          topological_ordering = EXCLUDED.topological_ordering, stream_ordering = EXCLUDED.stream_ordering
        WHERE threads.topological_ordering <= EXCLUDED.topological_ordering
          AND threads.stream_ordering < EXCLUDED.stream_ordering
        """)
    }
  }
}
