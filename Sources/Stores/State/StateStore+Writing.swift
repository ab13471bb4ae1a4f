import MatrixEvents
import MatrixPrimitives
import Postgres

/// What a transaction that writes events writes about state.
extension StateStore {
  /// Requires state groups to exist, keeps them from being deleted meanwhile, and takes them off the list of what is to be deleted.
  package static func require(groups: [Int64], in txn: Transaction, otherwise refusal: any Error) {
    guard !groups.isEmpty else { return }
    txn.require(
      """
      \(Int64(groups.count))::bigint = (
        SELECT count(*) FROM (SELECT 1 FROM state_groups WHERE id = ANY(\(groups)::bigint[]) FOR KEY SHARE) AS held)
      """, otherwise: refusal)
    txn.enqueue("DELETE FROM state_groups_pending_deletion WHERE state_group = ANY(\(groups)::bigint[])")
  }

  /// Ties events to state groups.
  package static func enqueueGroups(_ groups: [Int64], of events: [Text], in txn: Transaction) {
    guard !events.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_to_state_groups (event_id, state_group)
      SELECT * FROM unnest(\(events)::text[], \(groups)::bigint[])
      ON CONFLICT (event_id) DO UPDATE SET state_group = EXCLUDED.state_group
      """)
  }

  /// Changes a room's current state. Comes after the events and memberships, to which it refers.
  ///
  /// - Parameter keys: all entries that change, those that are removed included.
  package static func enqueueCurrent(
    _ inserted: StateMap, keys: [StateKey], room: RoomID, stream: Int64, instanceName: Text, in txn: Transaction
  ) {
    let room = room.rawValue
    let types = keys.map(\.type)
    let stateKeys = keys.map(\.stateKey)
    txn.enqueue(
      """
      INSERT INTO current_state_delta_stream
        (stream_id, instance_name, room_id, type, state_key, event_id, prev_event_id)
      SELECT \(stream)::bigint, \(instanceName), \(room), q.type, q.state_key, q.id, c.event_id
      FROM unnest(\(types)::text[], \(stateKeys)::text[], \(keys.map { inserted[$0]?.rawValue })::text[])
        AS q(type, state_key, id)
      LEFT JOIN current_state_events AS c
        ON c.room_id = \(room) AND c.type = q.type AND c.state_key = q.state_key
      """)
    txn.enqueue(
      """
      DELETE FROM current_state_events AS c USING unnest(\(types)::text[], \(stateKeys)::text[]) AS q(type, state_key)
      WHERE c.room_id = \(room) AND c.type = q.type AND c.state_key = q.state_key
      """)
    let entries = inserted.sorted { $0.key < $1.key }
    guard !entries.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO current_state_events (room_id, type, state_key, event_id, membership, event_stream_ordering)
      SELECT \(room), q.type, q.state_key, q.id, m.membership, e.stream_ordering
      FROM unnest(\(entries.map(\.key.type))::text[], \(entries.map(\.key.stateKey))::text[],
        \(entries.map(\.value.rawValue))::text[]) AS q(type, state_key, id)
      LEFT JOIN events AS e ON e.event_id = q.id
      LEFT JOIN room_memberships AS m ON m.event_id = q.id
      """)
  }

  /// Forgets the current state of a room that the server has left.
  package static func enqueueDeparture(from room: RoomID, stream: Int64, instanceName: Text, in txn: Transaction) {
    let room = room.rawValue
    txn.enqueue(
      """
      INSERT INTO current_state_delta_stream
        (stream_id, instance_name, room_id, type, state_key, event_id, prev_event_id)
      SELECT \(stream)::bigint, \(instanceName), room_id, type, state_key, NULL, event_id
      FROM current_state_events WHERE room_id = \(room)
      """)
    txn.enqueue("DELETE FROM current_state_events WHERE room_id = \(room)")
    txn.enqueue("DELETE FROM sliding_sync_joined_rooms WHERE room_id = \(room)")
  }
}
