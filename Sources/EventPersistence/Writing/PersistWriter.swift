import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

/// The writer of plans for different rooms within a transaction. Nearly everything is sent ahead without waiting and
/// travels with the commit; only the chain cover of state events needs answers.
///
/// What every message needs is written for all rooms by one statement each; the rest, by ``RoomWriter``, room by room.
struct PersistWriter {
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
    guard let plan = plans.first else { return }
    let (surroundings, stores) = (plan.surroundings, plan.stores)
    txn.planOnceByIndexes()
    // First of all, since they take longest and, when there are many, run beside the rest.
    surroundings.pushActions.write(
      accepted, given: plans.flatMap(\.given), isRedacting: !plans.allSatisfy(\.redactedEvents.isEmpty), in: txn)
    RoomStore.require(plans.map(\.roomID), in: txn, otherwise: PersistRefusal.roomIsGone)
    requirePredecessors()
    for room in rooms { try room.writeStateGroups() }
    let chains = try rooms.map { try $0.chainCover() }
    for room in rooms { room.writeFirst() }
    EventStore.enqueue(fresh, instanceName: plan.instanceName, now: plan.now, in: txn)
    RedactionStore.enqueueCensoring(of: censurable, in: txn)
    writeExtremities()
    writeTransactionIDs()
    writeStateGroupsOfEvents()
    for (room, chain) in zip(rooms, chains) { room.writeAuthorisation(chain) }
    for room in rooms { room.writeRedactions() }
    EventStore.enqueueEdges(accepted, in: txn)
    for room in rooms { room.writeGaps() }
    if stores.config.rooms.allowsSearch { EventStore.enqueueSearch(accepted, in: txn) }
    for room in rooms { room.writeWhatFollows() }
    writeParticipation()
    SlidingSyncTables.enqueuePositions(plans.filter { !$0.backfilled }.map { ($0.roomID, $0.accepted) }, in: txn)
    for plan in plans { stores.invalidator.write(plan.cacheInvalidations, ids: plan.cacheIDs, in: txn) }
  }

  /// The new events that a stored redaction may aim at.
  private var censurable: [Text] {
    plans.filter { !$0.change.isPlain }.flatMap(\.fresh).filter { !$0.item.metadata.redacted }.map(\.id)
  }

  /// Fails when an event of this server follows one that is not stored: that one was built upon before it was on disk, and a
  /// crash of the database has taken it away.
  private func requirePredecessors() {
    var ids: Set<Text> = []
    for plan in plans where !plan.backfilled {
      let server = plan.stores.config.serverName
      for event in plan.fresh where !event.item.isOutlier && event.event.sender.serverName == server {
        ids.formUnion(event.event.prevEvents.map(\.rawValue))
      }
    }
    ids.subtract(fresh.map(\.id))
    EventStore.require(ids.sorted(), in: txn, otherwise: PersistRefusal.predecessorIsMissing)
  }

  private func writeTransactionIDs() {
    guard let now = plans.first?.now else { return }
    let sent = plans.flatMap { plan in
      plan.fresh.compactMap { event in
        plan.known.transactionNames[event.stored.eventID].flatMap { name in
          event.item.metadata.deviceID.map { EventStore.SentRequest(event: event, device: $0, name: name) }
        }
      }
    }
    EventStore.enqueue(sent, now: now, in: txn)
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
    StateStore.enqueueGroups(groups, of: ids, in: txn)
  }

  private func writeExtremities() {
    let changes = plans.compactMap { plan -> RoomStore.Extremities? in
      guard let extremities = plan.change.extremities, let stream = plan.lastStream else { return nil }
      return RoomStore.Extremities(room: plan.roomID, events: Array(extremities.keys), stream: stream)
    }
    RoomStore.enqueue(changes, in: txn)
  }

  /// Marks senders of messages as taking part, once for each membership.
  private func writeParticipation() {
    guard let cache = plans.first?.surroundings.participants, let server = plans.first?.stores.config.serverName else {
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
    MembershipStore.enqueueParticipation(sorted.map { ($0.roomID, $0.userID) }, in: txn)
    txn.afterCommit {
      for participant in sorted { cache.insert(participant, true) }
    }
  }
}
