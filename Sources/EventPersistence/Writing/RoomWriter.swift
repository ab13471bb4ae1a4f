import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

/// The writer of what few batches need, for one room within a transaction of ``PersistWriter``.
struct RoomWriter {
  let plan: PersistPlan
  let txn: Transaction

  /// Writes what comes before the events.
  func writeFirst() {
    updateRoomDepth()
    EventStore.enqueue(plan.formerOutliers, instanceName: plan.instanceName, in: txn)
    writeGaps(before: plan.formerOutliers.map { ($0.item.event, $0.stored.streamOrdering) })
  }

  /// Writes what says why events are allowed, or not.
  func writeAuthorisation(_ chains: ChainCover) {
    EventStore.enqueuePartialState(plan.fresh, room: plan.roomID, in: txn)
    EventStore.enqueueAuthEvents(plan.fresh, room: plan.roomID, in: txn)
    chains.enqueue(in: txn)
    EventStore.enqueueRejections(plan.fresh.filter(\.isRejected), now: plan.now, in: txn)
  }

  /// Writes what refers to the events.
  func writeWhatFollows() {
    let accepted = plan.accepted
    RelationStore.enqueue(accepted, room: plan.roomID, in: txn)
    RoomStore.enqueueRetention(accepted, room: plan.roomID, in: txn)
    EventStore.enqueueLabels(accepted, room: plan.roomID, in: txn)
    writeMemberships()
    writeCurrentState()
  }

  func writeRedactions() {
    let redactions = plan.accepted.filter { $0.event.type == EventType.redaction && $0.event.redacts != nil }
    guard !redactions.isEmpty else { return }
    plan.stores.pushActions.enqueueRemoval(plan.redactedEvents, roomID: plan.roomID, in: txn)
    for relation in plan.known.redactedRelations { RelationStore.enqueue(relation, room: plan.roomID, in: txn) }
    RedactionStore.enqueue(redactions, now: plan.now, in: txn)
  }

  /// Records gaps before the events, and forgets those that they fill.
  func writeGaps() {
    if plan.change.isPlain { return }
    writeGaps(before: plan.accepted.filter { !$0.item.isOutlier }.map { ($0.event, $0.stored.streamOrdering) })
  }

  private func writeGaps(before events: [(event: Event, stream: Int64)]) {
    RoomStore.enqueueGaps(before: events, room: plan.roomID, instanceName: plan.instanceName, in: txn)
  }

  func writeStateGroups() throws {
    let items = plan.fresh.map(\.item) + plan.formerOutliers.map(\.item)
    var seen: Set<Int64> = []
    let new = items.flatMap(\.context.newGroups).filter { seen.insert($0.id).inserted }
    try plan.stores.state.enqueue(new, in: txn)
    var referred: Set<Int64> = []
    for item in items where !item.isOutlier && item.context.rejected == nil {
      if let group = item.context.stateGroup { referred.insert(group) }
      if let group = item.context.stateGroupBeforeEvent { referred.insert(group) }
    }
    referred.subtract(seen)
    referred.subtract(plan.change.keptGroups)
    // Others may be about to delete groups that nothing refers to.
    StateStore.require(groups: referred.sorted(), in: txn, otherwise: PersistRefusal.stateIsGone)
  }

  func chainCover() throws -> ChainCover {
    let items = plan.fresh.map(\.item) + plan.formerOutliers.map(\.item)
    let states = items.map(\.event).filter(\.isState)
    return states.isEmpty ? ChainCover() : try ChainCover.calculate(for: states, roomID: plan.roomID, in: txn)
  }

  private func updateRoomDepth() {
    let depths = plan.given.filter { !$0.isOutlier && $0.context.rejected == nil }.map(\.event.depth)
    guard let least = depths.min() else { return }
    if let known = plan.surroundings.minimumDepths.peek(plan.roomID), least >= known { return }
    RoomStore.enqueueDepth(least, of: plan.roomID, in: txn)
    let (room, cache) = (plan.roomID, plan.surroundings.minimumDepths)
    txn.afterCommit { cache.insert(room, least) }
  }
}
