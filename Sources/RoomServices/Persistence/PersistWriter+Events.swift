import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

extension PersistWriter {
  /// Writes the events themselves.
  func writeEvents() {
    let events = plan.fresh
    guard !events.isEmpty else { return }
    let ids = events.map(\.id)
    let room = plan.roomID.rawValue
    txn.enqueue(
      """
      INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version)
      SELECT q.id, \(room), q.metadata, q.json, \(Self.format(of: events[0].event.version))::int
      FROM unnest(\(ids)::text[], \(events.map(\.item.metadata.encoded))::text[],
        \(events.map { Self.storedJSON($0.event) })::text[]) AS q(id, metadata, json)
      """)
    txn.enqueue(
      """
      INSERT INTO events (instance_name, room_id, processed, received_ts, event_id, stream_ordering,
        topological_ordering, depth, type, outlier, origin_server_ts, sender, contains_url, state_key, rejection_reason)
      SELECT \(plan.instanceName), \(room), true, \(plan.now)::bigint, q.id, q.stream, q.depth, q.depth, q.type, q.outlier,
        q.time, q.sender, q.has_url, q.state_key, q.rejected
      FROM unnest(\(ids)::text[], \(events.map(\.stored.streamOrdering))::bigint[], \(events.map(\.event.depth))::bigint[],
        \(events.map(\.event.type))::text[], \(events.map(\.item.isOutlier))::boolean[],
        \(events.map(\.event.originServerTS))::bigint[], \(events.map(\.event.sender.rawValue))::text[],
        \(events.map { $0.event.content["url"]?.string != nil })::boolean[], \(events.map(\.event.stateKey))::text[],
        \(events.map(\.item.context.rejected))::text[])
        AS q(id, stream, depth, type, outlier, time, sender, has_url, state_key, rejected)
      """)
    writeStateEvents()
    if plan.change.isPlain { return }
    // Redactions that came before the event they aim at must be applied to the stored JSON later on.
    let whole = events.filter { !$0.item.metadata.redacted }.map(\.id)
    txn.enqueue("UPDATE redactions SET have_censored = FALSE WHERE redacts = ANY(\(whole)::text[])")
  }

  private func writeStateEvents() {
    let states = plan.fresh.filter(\.event.isState)
    guard !states.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO state_events (event_id, room_id, type, state_key)
      SELECT q.id, \(plan.roomID.rawValue), q.type, q.state_key
      FROM unnest(\(states.map(\.id))::text[], \(states.map(\.event.type))::text[],
        \(states.map { $0.event.stateKey ?? "" })::text[]) AS q(id, type, state_key)
      """)
  }

  /// Returns the number by which Synapse tells the formats of events apart.
  static func format(of version: RoomVersion) -> Int64 {
    switch version.eventIDFormat {
    case .chosen: 1
    case .hash: 2
    case .urlSafeHash: version.isRoomIDCreateHash ? 4 : 3
    }
  }

  private static func storedJSON(_ event: Event) -> SQLText { SQLText(bytes: Array(event.json.raw)) }

  /// Records with which transaction a device sent an event, so that a repeated request finds it; a device that has been
  /// deleted meanwhile cannot repeat anything. The lock waits for a deletion under way, which the foreign key would trip over.
  func writeTransactionIDs() {
    let sent = plan.fresh.compactMap { event in
      event.item.metadata.txnID.flatMap { txnID in
        event.item.metadata.deviceID.map { (event: event, device: $0, txnID: txnID) }
      }
    }
    guard !sent.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_txn_id_device_id (event_id, room_id, user_id, device_id, txn_id, inserted_ts)
      SELECT q.id, \(plan.roomID.rawValue), q.sender, q.device, q.txn, \(plan.now)::bigint
      FROM unnest(\(sent.map(\.event.id))::text[], \(sent.map(\.event.event.sender.rawValue))::text[],
        \(sent.map(\.device))::text[], \(sent.map(\.txnID))::text[]) AS q(id, sender, device, txn)
      JOIN devices AS d ON d.user_id = q.sender AND d.device_id = q.device
      FOR KEY SHARE OF d
      """)
  }

  /// Writes the auth events of state events, refused ones included: they may stand in the chain of accepted ones.
  func writeAuthEvents() {
    let links = plan.fresh.filter(\.event.isState).flatMap { event in
      event.event.authEventsWithCreate.map { (event.id, $0.rawValue) }
    }
    guard !links.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_auth (event_id, room_id, auth_id)
      SELECT q.id, \(plan.roomID.rawValue), q.auth
      FROM unnest(\(links.map(\.0))::text[], \(links.map(\.1))::text[]) AS q(id, auth)
      """)
  }

  func writeRejections() {
    let rejected = plan.fresh.filter(\.isRejected)
    guard !rejected.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO rejections (event_id, reason, last_check)
      SELECT q.id, q.reason, \(String(plan.now))
      FROM unnest(\(rejected.map(\.id))::text[], \(rejected.map { $0.item.context.rejected ?? "" })::text[])
        AS q(id, reason)
      """)
  }

  // MARK: push

  /// Writes what push rules want done: given with the event, or staged by another process.
  func writePushActions() {
    let store = plan.storage.pushActions
    let notifiable = plan.accepted.filter { !$0.item.isOutlier || $0.item.metadata.outOfBandMembership }
    store.enqueue(
      notifiable.compactMap { event in event.item.pushActions.map { (event.stored, $0) } }, in: txn)
    let staged = plan.given.filter {
      $0.pushActions == nil && (!$0.isOutlier || $0.metadata.outOfBandMembership)
    }
    guard !staged.isEmpty else { return }
    store.enqueueMove(
      notifiable.filter { $0.item.pushActions == nil }.map(\.stored), clearing: staged.map(\.event.eventID), in: txn)
  }

  // MARK: redactions and relations

  func writeRedactions() {
    let redactions = plan.accepted.filter { $0.event.type == EventType.redaction && $0.event.redacts != nil }
    guard !redactions.isEmpty else { return }
    plan.storage.pushActions.enqueueRemoval(plan.redactedEvents, roomID: plan.roomID, in: txn)
    for relation in plan.known.redactedRelations { endRelation(relation) }
    txn.enqueue(
      """
      INSERT INTO redactions (event_id, redacts, received_ts, recheck)
      SELECT q.id, q.target, \(plan.now)::bigint, q.recheck
      FROM unnest(\(redactions.map(\.id))::text[], \(redactions.map { $0.event.redacts?.rawValue ?? "" })::text[],
        \(redactions.map { $0.item.metadata.recheckRedaction ?? false })::boolean[]) AS q(id, target, recheck)
      ON CONFLICT (event_id) DO UPDATE
      SET redacts = EXCLUDED.redacts, received_ts = EXCLUDED.received_ts, recheck = EXCLUDED.recheck
      """)
  }

  private func endRelation(_ relation: KnownEvents.RedactedRelation) {
    txn.enqueue("DELETE FROM event_relations WHERE event_id = \(relation.eventID.rawValue)")
    guard relation.type == "m.thread" else { return }
    let (room, root) = (plan.roomID.rawValue, relation.parentID.rawValue)
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

  func writeRelations() {
    let related = plan.accepted.compactMap { event in EventRelation(event.event).map { (event: event, relation: $0) } }
    guard !related.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_relations (event_id, relates_to_id, relation_type, aggregation_key)
      SELECT * FROM unnest(\(related.map(\.event.id))::text[], \(related.map(\.relation.parentID.rawValue))::text[],
        \(related.map(\.relation.type))::text[], \(related.map(\.relation.key))::text[])
      """)
    // In order, so that of several replies in one batch the newest stands.
    for entry in related where entry.relation.type == "m.thread" {
      txn.enqueue(
        """
        INSERT INTO threads (room_id, thread_id, latest_event_id, topological_ordering, stream_ordering)
        VALUES (\(plan.roomID.rawValue), \(entry.relation.parentID.rawValue), \(entry.event.id),
          \(entry.event.event.depth)::bigint, \(entry.event.stored.streamOrdering)::bigint)
        ON CONFLICT (room_id, thread_id) DO UPDATE SET latest_event_id = EXCLUDED.latest_event_id,
          topological_ordering = EXCLUDED.topological_ordering, stream_ordering = EXCLUDED.stream_ordering
        WHERE threads.topological_ordering <= EXCLUDED.topological_ordering
          AND threads.stream_ordering < EXCLUDED.stream_ordering
        """)
    }
  }

  // MARK: search

  func writeSearch() {
    let entries = plan.accepted.compactMap { event in
      SearchText(event.event).map { (event: event, text: $0) }
    }
    guard !entries.isEmpty, plan.storage.config.rooms.allowsSearch else { return }
    txn.enqueue(
      """
      INSERT INTO event_search (event_id, room_id, key, vector, stream_ordering, origin_server_ts)
      SELECT q.id, \(plan.roomID.rawValue), q.key, to_tsvector('english', q.value), q.stream, q.time
      FROM unnest(\(entries.map(\.event.id))::text[], \(entries.map(\.text.key))::text[],
        \(entries.map(\.text.value))::text[], \(entries.map(\.event.stored.streamOrdering))::bigint[],
        \(entries.map(\.event.event.originServerTS))::bigint[]) AS q(id, key, value, stream, time)
      """)
  }

  // MARK: what few events have

  func writeRareTables() {
    for event in plan.accepted {
      if let policy = RetentionPolicy(event.event) {
        txn.enqueue(
          """
          INSERT INTO room_retention (room_id, event_id, min_lifetime, max_lifetime)
          VALUES (\(plan.roomID.rawValue), \(event.id), \(policy.minimum)::bigint, \(policy.maximum)::bigint)
          """)
      }
      let labels = event.event.content["org.matrix.labels"]?.elements?.compactMap(\.string) ?? []
      if !labels.isEmpty {
        txn.enqueue(
          """
          INSERT INTO event_labels (event_id, label, room_id, topological_ordering)
          SELECT \(event.id), q.label, \(plan.roomID.rawValue), \(event.event.depth)::bigint
          FROM unnest(\(Set(labels).sorted())::text[]) AS q(label)
          """)
      }
    }
  }
}
