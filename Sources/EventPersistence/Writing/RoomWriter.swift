import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

/// Writes what few batches need, for one room within a transaction of ``PersistWriter``.
struct RoomWriter {
  let plan: PersistPlan
  let txn: Transaction

  /// Writes what comes before the events.
  func writeFirst() {
    updateRoomDepth()
    writeFormerOutliers()
  }

  /// Writes what says why events are allowed, or not.
  func writeAuthorisation(_ chains: ChainCover) {
    writePartialState()
    writeAuthEvents()
    chains.enqueue(in: txn)
    writeRejections()
  }

  /// Writes what refers to the events.
  func writeWhatFollows() {
    writeRelations()
    writeRareTables()
    writeMemberships()
    writeCurrentState()
  }

  // MARK: state groups

  func writeStateGroups() throws {
    let items = plan.fresh.map(\.item) + plan.formerOutliers.map(\.item)
    var seen: Set<Int64> = []
    let new = items.flatMap(\.context.newGroups).filter { seen.insert($0.id).inserted }
    try plan.storage.state.enqueue(new, in: txn)
    var referred: Set<Int64> = []
    for item in items where !item.isOutlier && item.context.rejected == nil {
      if let group = item.context.stateGroup { referred.insert(group) }
      if let group = item.context.stateGroupBeforeEvent { referred.insert(group) }
    }
    referred.subtract(seen)
    referred.subtract(plan.change.keptGroups)
    guard !referred.isEmpty else { return }
    // Others may be about to delete groups that nothing refers to: hold these, fail if one is gone, and take them off the
    // list of what is to be deleted.
    let groups = referred.sorted()
    txn.enqueue(
      """
      SELECT 1 / (count(*) = \(Int64(groups.count))::bigint)::int FROM (
        SELECT 1 FROM state_groups WHERE id = ANY(\(groups)::bigint[]) FOR KEY SHARE) AS held
      """)
    txn.enqueue("DELETE FROM state_groups_pending_deletion WHERE state_group = ANY(\(groups)::bigint[])")
  }

  private func writePartialState() {
    let partial = plan.fresh.filter { $0.item.context.partialState }.map(\.id)
    guard !partial.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO partial_state_events (room_id, event_id)
      SELECT \(plan.roomID.rawValue), * FROM unnest(\(partial)::text[])
      """)
  }

  static func upsertStateGroups(_ ids: [Text], _ groups: [Int64], in txn: Transaction) {
    guard !ids.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_to_state_groups (event_id, state_group)
      SELECT * FROM unnest(\(ids)::text[], \(groups)::bigint[])
      ON CONFLICT (event_id) DO UPDATE SET state_group = EXCLUDED.state_group
      """)
  }

  func chainCover() throws -> ChainCover {
    let items = plan.fresh.map(\.item) + plan.formerOutliers.map(\.item)
    let states = items.map(\.event).filter(\.isState)
    return states.isEmpty ? ChainCover() : try ChainCover.calculate(for: states, roomID: plan.roomID, in: txn)
  }

  // MARK: the room

  private func updateRoomDepth() {
    let depths = plan.given.filter { !$0.isOutlier && $0.context.rejected == nil }.map(\.event.depth)
    guard let least = depths.min() else { return }
    if let known = plan.surroundings.minimumDepths.peek(plan.roomID), least >= known { return }
    txn.enqueue(
      """
      INSERT INTO room_depth (room_id, min_depth) VALUES (\(plan.roomID.rawValue), \(least)::bigint)
      ON CONFLICT (room_id) DO UPDATE SET min_depth = EXCLUDED.min_depth
      WHERE room_depth.min_depth IS NULL OR room_depth.min_depth > EXCLUDED.min_depth
      """)
    let (room, cache) = (plan.roomID, plan.surroundings.minimumDepths)
    txn.afterCommit { cache.insert(room, least) }
  }

  // MARK: events that stop being outliers

  private func writeFormerOutliers() {
    let former = plan.formerOutliers
    guard !former.isEmpty else { return }
    let ids = former.map(\.item.event.eventID.rawValue)
    let groups = former.map { $0.item.context.stateGroup ?? 0 }
    Self.upsertStateGroups(ids, groups, in: txn)
    txn.enqueue(
      """
      INSERT INTO ex_outlier_stream (event_stream_ordering, event_id, state_group, instance_name)
      SELECT q.stream, q.id, q.state_group, \(plan.instanceName)
      FROM unnest(\(former.map(\.changeStream))::bigint[], \(ids)::text[], \(groups)::bigint[])
        AS q(stream, id, state_group)
      """)
    txn.enqueue("UPDATE events SET outlier = FALSE WHERE event_id = ANY(\(ids)::text[])")
    writeBackwardExtremities(former.map { ($0.item.event, $0.stored.streamOrdering) })
  }

  // MARK: gaps

  /// Records gaps before the events, and forgets those that they fill.
  func writeGaps() {
    if plan.change.isPlain { return }
    writeBackwardExtremities(
      plan.accepted.filter { !$0.item.isOutlier }.map { ($0.event, $0.stored.streamOrdering) })
  }

  /// Records events that are referred to but not here, and where in the timeline the gap is; forgets those that have come.
  private func writeBackwardExtremities(_ events: [(event: Event, stream: Int64)]) {
    guard !events.isEmpty else { return }
    let room = plan.roomID.rawValue
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
        SELECT DISTINCT \(room), \(plan.instanceName), q.stream FROM \(missing)
        """)
    }
    let ids = events.map(\.event.eventID.rawValue)
    txn.enqueue(
      "DELETE FROM event_backward_extremities WHERE room_id = \(room) AND event_id = ANY(\(ids)::text[])")
    txn.enqueue(
      "DELETE FROM event_failed_pull_attempts WHERE room_id = \(room) AND event_id = ANY(\(ids)::text[])")
  }
}
