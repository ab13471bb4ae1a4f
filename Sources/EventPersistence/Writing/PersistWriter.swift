import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

/// Writes plans for different rooms within a transaction. Nearly everything is sent ahead without waiting and travels with the
/// commit; only the chain cover of state events needs answers.
///
/// What every message needs is written for all rooms by one statement each; the rest, by ``RoomWriter``, room by room.
struct PersistWriter {
  /// Holds the error (division by zero) by which statements that travel with the commit say that a row is missing.
  static let missingRowState = "22012"
  /// Holds the error (a text that is no number) by which the same is said of an event that others follow.
  static let missingPredecessorState = "22P02"

  let plans: [PersistPlan]
  let txn: Transaction
  let fresh: [NewEvent]
  let accepted: [NewEvent]
  private let rooms: [RoomWriter]

  /// Makes a writer of plans; of each room there is one at most.
  init(plans: [PersistPlan], txn: Transaction) {
    // In the order of their ids, so that transactions that lock rows of several rooms do not wait for each other in a circle.
    self.plans = plans.sorted { $0.roomID < $1.roomID }
    self.txn = txn
    fresh = self.plans.flatMap(\.fresh)
    accepted = fresh.filter { !$0.isRejected }
    rooms = self.plans.map { RoomWriter(plan: $0, txn: txn) }
  }

  func write() throws {
    guard let surroundings = plans.first?.surroundings else { return }
    let storage = surroundings.storage
    // The statements are the same each time and find their rows by keys: planning them anew would cost as much as they do, and
    // a plan for ten unknown rooms would read the whole of a table that has only some hundred.
    txn.enqueue(
      """
      SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)
      """)
    // First of all, since they take longest and stand beside the rest when there are many.
    writePushActions(storage.pushActions, orphans: surroundings.orphans)
    lockRooms()
    requirePredecessors()
    for room in rooms { try room.writeStateGroups() }
    let chains = try rooms.map { try $0.chainCover() }
    for room in rooms { room.writeFirst() }
    writeEvents()
    writeExtremities()
    writeTransactionIDs()
    writeStateGroupsOfEvents()
    for (room, chain) in zip(rooms, chains) { room.writeAuthorisation(chain) }
    for room in rooms { room.writeRedactions() }
    writeEdges()
    if storage.config.rooms.allowsSearch { writeSearch() }
    for room in rooms { room.writeWhatFollows() }
    writeParticipation()
    writeRoomPositions()
    for plan in plans { storage.invalidator.write(plan.cacheInvalidations, ids: plan.cacheIDs, in: txn) }
  }

  /// Keeps the rooms from being deleted meanwhile, and fails when one is gone: dividing by zero is how a statement that
  /// travels with the commit can refuse.
  private func lockRooms() {
    let ids = plans.map(\.roomID.rawValue)
    txn.enqueue(
      """
      SELECT 1 / (count(*) = \(Int64(ids.count))::bigint)::int FROM (
        SELECT 1 FROM rooms WHERE room_id = ANY(\(unseen: ids)) FOR KEY SHARE) AS room
      """)
  }

  /// Fails when an event of this server follows one that is not stored: that one was built upon before it was on disk, and a
  /// crash of the database has taken it away.
  private func requirePredecessors() {
    var ids: Set<Text> = []
    for plan in plans where !plan.backfilled {
      let server = plan.storage.config.serverName
      for event in plan.fresh where !event.item.isOutlier && event.event.sender.serverName == server {
        ids.formUnion(event.event.prevEvents.map(\.rawValue))
      }
    }
    ids.subtract(fresh.map(\.id))
    guard !ids.isEmpty else { return }
    let wanted = ids.sorted()
    txn.enqueue(
      """
      SELECT CASE WHEN count(*) = \(Int64(wanted.count))::bigint THEN 1 ELSE ('only ' || count(*))::int END
      FROM events WHERE event_id = ANY(\(unseen: wanted))
      """)
  }

  private func writeStateGroupsOfEvents() {
    var ids: [Text] = []
    var groups: [Int64] = []
    for event in fresh where !event.item.isOutlier {
      let context = event.item.context
      // A refused event leaves the state as it was.
      guard let group = event.isRejected ? context.stateGroupBeforeEvent : context.stateGroup else { continue }
      ids.append(event.id)
      groups.append(group)
    }
    RoomWriter.upsertStateGroups(ids, groups, in: txn)
  }

  private func writeExtremities() {
    var rooms: [Text] = []
    var ids: [Text] = []
    var streams: [Int64] = []
    for plan in plans {
      guard let extremities = plan.change.extremities, let stream = plan.lastStream else { continue }
      for id in extremities.keys.map(\.rawValue).sorted() {
        rooms.append(plan.roomID.rawValue)
        ids.append(id)
        streams.append(stream)
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

  /// Records each room's newest event, and the newest one that brings the room to the top of lists.
  private func writeRoomPositions() {
    var rooms: [Text] = []
    var lasts: [Int64] = []
    var bumps: [Int64?] = []
    for plan in plans where !plan.backfilled {
      let accepted = plan.accepted
      guard let last = accepted.map(\.stored.streamOrdering).max() else { continue }
      rooms.append(plan.roomID.rawValue)
      lasts.append(last)
      bumps.append(
        accepted.filter { SlidingSyncTables.bumpTypes.contains($0.event.type) }.map(\.stored.streamOrdering).max())
    }
    guard !rooms.isEmpty else { return }
    txn.enqueue(
      """
      UPDATE sliding_sync_joined_rooms AS s SET
        event_stream_ordering = GREATEST(s.event_stream_ordering, q.last),
        bump_stamp = GREATEST(s.bump_stamp, q.bump)
      FROM unnest(\(rooms)::text[], \(lasts)::bigint[], \(bumps)::bigint[]) AS q(room_id, last, bump)
      WHERE s.room_id = q.room_id
      """)
  }

  /// Marks senders of messages as taking part, once for each membership.
  private func writeParticipation() {
    guard let cache = plans.first?.surroundings.participants, let server = plans.first?.storage.config.serverName else {
      return
    }
    for event in accepted where event.event.type == EventType.member {
      guard let user = event.event.stateKey else { continue }
      cache.invalidate(PersistBatch.Participant(roomID: event.event.roomID, userID: UserID(unchecked: user)))
    }
    var participants: Set<PersistBatch.Participant> = []
    for event in accepted where event.event.type == EventType.message || event.event.type == EventType.encrypted {
      let participant = PersistBatch.Participant(roomID: event.event.roomID, userID: event.event.sender)
      guard participant.userID.serverName == server, cache.peek(participant) == nil else { continue }
      participants.insert(participant)
    }
    guard !participants.isEmpty else { return }
    let sorted = participants.sorted { ($0.roomID, $0.userID) < ($1.roomID, $1.userID) }
    txn.enqueue(
      """
      UPDATE room_memberships SET participant = true
      WHERE NOT participant AND event_id IN (
        SELECT m.event_id
        FROM unnest(\(sorted.map(\.roomID.rawValue))::text[], \(sorted.map(\.userID.rawValue))::text[]) AS q(room_id, user_id)
        JOIN local_current_membership AS m ON m.room_id = q.room_id AND m.user_id = q.user_id)
      """)
    txn.afterCommit {
      for participant in sorted { cache.insert(participant, true) }
    }
  }

  private func writeEdges() {
    let edges = accepted.flatMap { event in event.event.prevEvents.map { (event.id, $0.rawValue) } }
    if !edges.isEmpty {
      txn.enqueue(
        """
        INSERT INTO event_edges (event_id, prev_event_id)
        SELECT * FROM unnest(\(edges.map(\.0))::text[], \(edges.map(\.1))::text[]) ON CONFLICT DO NOTHING
        """)
    }
    for room in rooms { room.writeGaps() }
  }
}
