import MatrixEvents
import MatrixPrimitives
import Postgres

/// The statements of a transaction that writes events; `Docs/event-path.md` has their order.
extension EventStore {
  /// Writes new events: `event_json`, `events` and `state_events`.
  package static func enqueue(_ events: [NewEvent], instanceName: Text, now: Int64, in txn: Transaction) {
    guard !events.isEmpty else { return }
    let ids = events.map(\.id)
    let rooms = events.map(\.event.roomID.rawValue)
    txn.enqueue(
      """
      INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version)
      SELECT * FROM unnest(\(ids)::text[], \(rooms)::text[], \(events.map(\.item.metadata.encoded))::text[],
        \(events.map { SQLText(bytes: Array($0.event.json.raw)) })::text[], \(events.map { format(of: $0.event.version) })::int[])
      """)
    txn.enqueue(
      """
      INSERT INTO events (instance_name, processed, received_ts, event_id, room_id, stream_ordering,
        topological_ordering, depth, type, outlier, origin_server_ts, sender, contains_url, state_key, rejection_reason)
      SELECT \(instanceName), true, \(now)::bigint, q.id, q.room_id, q.stream, q.depth, q.depth, q.type, q.outlier,
        q.time, q.sender, q.has_url, q.state_key, q.rejected
      FROM unnest(\(ids)::text[], \(rooms)::text[], \(events.map(\.stored.streamOrdering))::bigint[],
        \(events.map(\.event.depth))::bigint[], \(events.map(\.event.type))::text[],
        \(events.map(\.item.isOutlier))::boolean[], \(events.map(\.event.originServerTS))::bigint[],
        \(events.map(\.event.sender.rawValue))::text[], \(events.map { $0.event.content["url"]?.string != nil })::boolean[],
        \(events.map(\.event.stateKey))::text[], \(events.map(\.item.context.rejected))::text[])
        AS q(id, room_id, stream, depth, type, outlier, time, sender, has_url, state_key, rejected)
      """)
    enqueueStateEvents(events.filter(\.event.isState), in: txn)
  }

  private static func enqueueStateEvents(_ states: [NewEvent], in txn: Transaction) {
    guard !states.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO state_events (event_id, room_id, type, state_key)
      SELECT * FROM unnest(\(states.map(\.id))::text[], \(states.map(\.event.roomID.rawValue))::text[],
        \(states.map(\.event.type))::text[], \(states.map { $0.event.stateKey ?? "" })::text[])
      """)
  }

  /// Returns the number by which Synapse distinguishes the formats of events.
  static func format(of version: RoomVersion) -> Int64 {
    switch version.eventIDFormat {
    case .chosen: 1
    case .hash: 2
    case .urlSafeHash: version.isRoomIDCreateHash ? 4 : 3
    }
  }

  /// Requires events to be stored, whether they are outliers or not.
  package static func require(_ events: [Text], in txn: Transaction, otherwise refusal: any Error) {
    guard !events.isEmpty else { return }
    txn.require(
      """
      \(Int64(events.count))::bigint = (SELECT count(*) FROM events WHERE event_id = ANY(\(unseen: events)))
      """, otherwise: refusal)
  }

  /// Writes which events the events follow.
  package static func enqueueEdges(_ events: [NewEvent], in txn: Transaction) {
    let edges = events.flatMap { event in event.event.prevEvents.map { (event.id, $0.rawValue) } }
    guard !edges.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_edges (event_id, prev_event_id)
      SELECT * FROM unnest(\(edges.map(\.0))::text[], \(edges.map(\.1))::text[]) ON CONFLICT DO NOTHING
      """)
  }

  /// Writes the auth events of a room's state events, refused ones included: they may be in the chain of accepted ones.
  package static func enqueueAuthEvents(_ events: [NewEvent], room: RoomID, in txn: Transaction) {
    let links = events.filter(\.event.isState).flatMap { event in
      event.event.authEventsWithCreate.map { (event.id, $0.rawValue) }
    }
    guard !links.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_auth (event_id, room_id, auth_id)
      SELECT q.id, \(room.rawValue), q.auth
      FROM unnest(\(links.map(\.0))::text[], \(links.map(\.1))::text[]) AS q(id, auth)
      """)
  }

  /// Writes why events were refused.
  package static func enqueueRejections(_ rejected: [NewEvent], now: Int64, in txn: Transaction) {
    guard !rejected.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO rejections (event_id, reason, last_check)
      SELECT q.id, q.reason, \(Text(now))
      FROM unnest(\(rejected.map(\.id))::text[], \(rejected.map { $0.item.context.rejected ?? "" })::text[])
        AS q(id, reason)
      """)
  }

  /// Notes of which events of a room the state is incomplete.
  package static func enqueuePartialState(_ events: [NewEvent], room: RoomID, in txn: Transaction) {
    let partial = events.filter { $0.item.context.partialState }.map(\.id)
    guard !partial.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO partial_state_events (room_id, event_id)
      SELECT \(room.rawValue), * FROM unnest(\(partial)::text[])
      """)
  }

  /// Writes the labels of a room's events (MSC2326).
  package static func enqueueLabels(_ events: [NewEvent], room: RoomID, in txn: Transaction) {
    for event in events {
      let labels = event.event.content["org.matrix.labels"]?.elements?.compactMap(\.string) ?? []
      guard !labels.isEmpty else { continue }
      txn.enqueue(
        """
        INSERT INTO event_labels (event_id, label, room_id, topological_ordering)
        SELECT \(event.id), q.label, \(room.rawValue), \(event.event.depth)::bigint
        FROM unnest(\(Set(labels).sorted())::text[]) AS q(label)
        """)
    }
  }

  /// Gives events that were outliers their place in the timeline.
  package static func enqueue(_ former: [FormerOutlier], instanceName: Text, in txn: Transaction) {
    guard !former.isEmpty else { return }
    let ids = former.map(\.item.event.eventID.rawValue)
    let groups = former.map { $0.item.context.stateGroup ?? 0 }
    StateStore.enqueueGroups(groups, of: ids, in: txn)
    txn.enqueue(
      """
      INSERT INTO ex_outlier_stream (event_stream_ordering, event_id, state_group, instance_name)
      SELECT q.stream, q.id, q.state_group, \(instanceName)
      FROM unnest(\(former.map(\.changeStream))::bigint[], \(ids)::text[], \(groups)::bigint[])
        AS q(stream, id, state_group)
      """)
    txn.enqueue("UPDATE events SET outlier = FALSE WHERE event_id = ANY(\(ids)::text[])")
  }

  /// Makes events be found by their texts.
  package static func enqueueSearch(_ events: [NewEvent], in txn: Transaction) {
    let entries = events.compactMap { event in
      EventSearchText(event.event).map { (event: event, text: $0) }
    }
    guard !entries.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_search (event_id, room_id, key, vector, stream_ordering, origin_server_ts)
      SELECT q.id, q.room_id, q.key, to_tsvector('english', q.value), q.stream, q.time
      FROM unnest(\(entries.map(\.event.id))::text[], \(entries.map(\.event.event.roomID.rawValue))::text[],
        \(entries.map(\.text.key))::text[], \(entries.map(\.text.value))::text[],
        \(entries.map(\.event.stored.streamOrdering))::bigint[], \(entries.map(\.event.event.originServerTS))::bigint[])
        AS q(id, room_id, key, value, stream, time)
      """)
  }
}
