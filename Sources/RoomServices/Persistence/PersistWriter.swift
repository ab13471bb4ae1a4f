import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

/// Writes a plan within a transaction. Nearly everything is sent ahead without waiting and travels with the commit; only
/// the chain cover of state events needs answers.
struct PersistWriter {
  /// Holds the error (division by zero) by which statements that travel with the commit say that a row is missing.
  static let missingRowState = "22012"

  let plan: PersistPlan
  let txn: Transaction

  func write() throws {
    lockRoom()
    try writeStateGroups()
    let chains = try chainCover()
    updateRoomDepth()
    writeFormerOutliers()
    writeEvents()
    writeExtremities()
    writeTransactionIDs()
    writeStateGroupsOfEvents()
    writeAuthEvents()
    chains.enqueue(in: txn)
    writeRejections()
    writePushActions()
    writeRedactions()
    writeEdges()
    writeSearch()
    writeRelations()
    writeRareTables()
    writeMemberships()
    writeCurrentState()
    writeParticipation()
    writeRoomPosition()
    plan.storage.invalidator.write(plan.cacheInvalidations, ids: plan.cacheIDs, in: txn)
  }

  /// Keeps the room from being deleted meanwhile, and fails when it is gone: dividing by zero is how a statement that
  /// travels with the commit can refuse.
  private func lockRoom() {
    txn.enqueue(
      """
      SELECT 1 / count(*) FROM (
        SELECT 1 FROM rooms WHERE room_id = \(plan.roomID.rawValue) FOR KEY SHARE) AS room
      """)
  }

  // MARK: state groups

  private func writeStateGroups() throws {
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

  private func writeStateGroupsOfEvents() {
    var ids: [String] = []
    var groups: [Int64] = []
    let partial = plan.fresh.filter { $0.item.context.partialState }.map(\.id)
    for event in plan.fresh where !event.item.isOutlier {
      let context = event.item.context
      // A refused event leaves the state as it was.
      guard let group = event.isRejected ? context.stateGroupBeforeEvent : context.stateGroup else { continue }
      ids.append(event.id)
      groups.append(group)
    }
    if !partial.isEmpty {
      txn.enqueue(
        """
        INSERT INTO partial_state_events (room_id, event_id)
        SELECT \(plan.roomID.rawValue), * FROM unnest(\(partial)::text[])
        """)
    }
    upsertStateGroups(ids, groups)
  }

  private func upsertStateGroups(_ ids: [String], _ groups: [Int64]) {
    guard !ids.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_to_state_groups (event_id, state_group)
      SELECT * FROM unnest(\(ids)::text[], \(groups)::bigint[])
      ON CONFLICT (event_id) DO UPDATE SET state_group = EXCLUDED.state_group
      """)
  }

  private func chainCover() throws -> ChainCover {
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

  private func writeExtremities() {
    guard let extremities = plan.change.extremities, let stream = plan.lastStream else { return }
    let room = plan.roomID.rawValue
    let ids = extremities.keys.map(\.rawValue).sorted()
    txn.enqueue(
      """
      DELETE FROM event_forward_extremities WHERE room_id = \(room) AND event_id <> ALL(\(ids)::text[])
      """)
    txn.enqueue(
      """
      INSERT INTO event_forward_extremities (event_id, room_id)
      SELECT q.id, \(room) FROM unnest(\(ids)::text[]) AS q(id) ON CONFLICT DO NOTHING
      """)
    txn.enqueue(
      """
      INSERT INTO stream_ordering_to_exterm (room_id, event_id, stream_ordering)
      SELECT \(room), q.id, \(stream)::bigint FROM unnest(\(ids)::text[]) AS q(id)
      """)
  }

  /// Records the newest event, and the newest one that brings the room to the top of lists.
  private func writeRoomPosition() {
    guard !plan.backfilled, let last = plan.accepted.map(\.stored.streamOrdering).max() else { return }
    let bump = plan.accepted.filter { SlidingSync.bumpTypes.contains($0.event.type) }.map(\.stored.streamOrdering).max()
    txn.enqueue(
      """
      UPDATE sliding_sync_joined_rooms SET
        event_stream_ordering = GREATEST(event_stream_ordering, \(last)::bigint),
        bump_stamp = GREATEST(bump_stamp, \(bump)::bigint)
      WHERE room_id = \(plan.roomID.rawValue)
      """)
  }

  /// Marks senders of messages as taking part, once for each membership.
  private func writeParticipation() {
    let cache = plan.surroundings.participants
    for event in plan.accepted where event.event.type == EventType.member {
      guard let user = event.event.stateKey else { continue }
      let key = PersistBatch.Participant(roomID: plan.roomID, userID: UserID(unchecked: user))
      cache.invalidate(key)
    }
    var users: Set<UserID> = []
    for event in plan.accepted
    where event.event.type == EventType.message || event.event.type == EventType.encrypted {
      let sender = event.event.sender
      guard sender.serverName == plan.storage.config.serverName else { continue }
      if cache.peek(PersistBatch.Participant(roomID: plan.roomID, userID: sender)) == nil { users.insert(sender) }
    }
    guard !users.isEmpty else { return }
    txn.enqueue(
      """
      UPDATE room_memberships SET participant = true
      WHERE NOT participant AND event_id IN (
        SELECT event_id FROM local_current_membership
        WHERE room_id = \(plan.roomID.rawValue) AND user_id = ANY(\(users.map(\.rawValue).sorted())::text[]))
      """)
    let (room, marked) = (plan.roomID, users)
    txn.afterCommit {
      for user in marked { cache.insert(PersistBatch.Participant(roomID: room, userID: user), true) }
    }
  }

  // MARK: events that stop being outliers

  private func writeFormerOutliers() {
    let former = plan.formerOutliers
    guard !former.isEmpty else { return }
    let ids = former.map(\.item.event.eventID.rawValue)
    let groups = former.map { $0.item.context.stateGroup ?? 0 }
    upsertStateGroups(ids, groups)
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

  // MARK: edges

  private func writeEdges() {
    let events = plan.accepted
    let edges = events.flatMap { event in event.event.prevEvents.map { (event.id, $0.rawValue) } }
    if !edges.isEmpty {
      txn.enqueue(
        """
        INSERT INTO event_edges (event_id, prev_event_id)
        SELECT * FROM unnest(\(edges.map(\.0))::text[], \(edges.map(\.1))::text[]) ON CONFLICT DO NOTHING
        """)
    }
    if plan.change.isPlain { return }
    writeBackwardExtremities(
      events.filter { !$0.item.isOutlier }.map { ($0.event, $0.stored.streamOrdering) })
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
