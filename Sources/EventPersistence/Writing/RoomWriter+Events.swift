import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

extension RoomWriter {
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
      SELECT q.id, q.reason, \(Text(plan.now))
      FROM unnest(\(rejected.map(\.id))::text[], \(rejected.map { $0.item.context.rejected ?? "" })::text[])
        AS q(id, reason)
      """)
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
    guard relation.type == EventRelation.Kind.thread else { return }
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
    let related = plan.accepted.compactMap { event in
      EventRelation(event.event.content).map { (event: event, relation: $0) }
    }
    guard !related.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_relations (event_id, relates_to_id, relation_type, aggregation_key)
      SELECT * FROM unnest(\(related.map(\.event.id))::text[], \(related.map(\.relation.parentID.rawValue))::text[],
        \(related.map(\.relation.type))::text[], \(related.map(\.relation.indexedKey))::text[])
      """)
    // In order, so that of several replies in one batch the newest stands.
    for entry in related where entry.relation.type == EventRelation.Kind.thread {
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
