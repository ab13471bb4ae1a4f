import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

/// Everything that one transaction writes and that is announced after it.
struct PersistPlan: Sendable {
  let roomID: RoomID
  let backfilled: Bool
  let surroundings: PersistBatch.Surroundings
  let change: RoomChange
  let known: KnownEvents
  let fresh: [NewEvent]
  let formerOutliers: [FormerOutlier]
  let given: [PersistableEvent]
  let cacheInvalidations: [CacheInvalidation]
  let cacheIDs: [Int64]
  let now: Int64

  var stores: RoomStores { surroundings.stores }
  var instanceName: Text { surroundings.hub.instanceName }

  /// Gives each event its place in the stream; events that stop being outliers come after the new ones.
  init(
    batch: PersistBatch, sorted: SortedEvents, change: RoomChange, known: KnownEvents, ids: [Int64],
    cacheInvalidations: [CacheInvalidation], cacheIDs: [Int64], now: Int64
  ) {
    let instance = batch.surroundings.hub.instanceName
    roomID = batch.roomID
    backfilled = batch.backfilled
    surroundings = batch.surroundings
    self.change = change
    self.known = known
    self.cacheInvalidations = cacheInvalidations
    self.cacheIDs = cacheIDs
    self.now = now
    given = batch.events
    fresh = zip(sorted.fresh, ids).map { item, id in
      NewEvent(
        item: item,
        stored: StoredEvent(
          event: item.event, streamOrdering: id, instanceName: instance, isOutlier: item.isOutlier,
          rejectedReason: item.context.rejected, receivedTS: now, metadata: item.metadata))
    }
    formerOutliers = zip(sorted.formerOutliers, ids.dropFirst(sorted.fresh.count)).map { entry, id in
      FormerOutlier(
        item: entry.item,
        stored: StoredEvent(
          event: entry.item.event, streamOrdering: entry.row.streamOrdering, instanceName: entry.row.instanceName,
          metadata: entry.item.metadata),
        changeStream: id)
    }
  }

  /// The new events that the auth rules accepted.
  var accepted: [NewEvent] { fresh.filter { !$0.isRejected } }

  /// The place under which changes of the current state are stored: the least of the batch, so that no reader sees an
  /// event before the state it made.
  var stateStream: Int64? { (fresh.map(\.stored.streamOrdering) + formerOutliers.map(\.changeStream)).min() }

  /// The highest place of the batch.
  var lastStream: Int64? { (fresh.map(\.stored.streamOrdering) + formerOutliers.map(\.changeStream)).max() }

  /// The stored events by id.
  var storedByID: [EventID: StoredEvent] {
    var result: [EventID: StoredEvent] = [:]
    for event in fresh { result[event.stored.eventID] = event.stored }
    for event in formerOutliers { result[event.stored.eventID] = event.stored }
    return result
  }

  /// The events that accepted redactions of the batch aim at.
  var redactedEvents: [EventID] {
    accepted.filter { $0.event.type == EventType.redaction }.compactMap(\.event.redacts)
  }

  // MARK: after the commit

  /// Brings this process' caches up to date, before anybody here can see the new position.
  func applyToCaches() {
    if !backfilled { stores.applyCommitted(batches) }
    stores.events.prefill(accepted.map(\.stored), redacted: redactedEvents)
    for event in formerOutliers { stores.events.invalidate(event.stored.eventID) }
    var groups: [EventID: Int64] = [:]
    for item in fresh.map(\.item) + formerOutliers.map(\.item) where !item.isOutlier {
      let context = item.context
      groups[item.event.eventID] = context.rejected == nil ? context.stateGroup : context.stateGroupBeforeEvent
    }
    stores.state.prefill(groups)
    if let extremities = change.extremities { stores.rooms.prefillExtremities(roomID, extremities) }
    if change.state?.leavesRoom == true {
      stores.state.invalidateCurrent(roomID)
      stores.memberships.invalidate(room: roomID)
    }
  }

  /// Forgets what the batch may have brought into memory: it was visible for a moment, and the database lost it.
  func withdrawFromCaches() {
    let members = accepted.filter { $0.event.type == EventType.member }.compactMap(\.event.stateKey)
    stores.forgetUncommitted(room: roomID, members: members.map { UserID(unchecked: $0) })
  }

  /// Announces the batch to the cluster.
  func publish() {
    stores.invalidator.publish(cacheInvalidations, ids: cacheIDs)
    for batch in batches { surroundings.hub.publish(batch.stream, token: batch.token, rows: batch.rows) }
  }

  /// The rows of the stream `events` or `backfill`, one batch a token.
  var batches: [StreamBatch] {
    var rows: [Int64: [StreamRow]] = [:]
    for event in fresh { rows[abs(event.stored.streamOrdering), default: []].append(row(event.item)) }
    for event in formerOutliers { rows[abs(event.changeStream), default: []].append(row(event.item)) }
    if let state = change.state, let token = stateStream {
      rows[abs(token), default: []] += stateRows(state)
    }
    let stream: StreamName = backfilled ? .backfill : .events
    return rows.sorted { $0.key < $1.key }
      .map { StreamBatch(stream: stream, instanceName: instanceName, token: $0.key, rows: $0.value) }
  }

  private func row(_ item: PersistableEvent) -> StreamRow {
    let event = item.event
    let isRejected = item.context.rejected != nil
    let redacts = event.type == EventType.redaction && !isRejected ? event.redacts : nil
    let parent = isRejected ? nil : EventRelation(event.content)?.parentID
    if backfilled {
      return .backfill(
        BackfillRow(
          eventID: event.eventID, roomID: event.roomID, type: event.type, stateKey: event.stateKey, redacts: redacts,
          relatesTo: parent))
    }
    return .event(
      EventsRow.Event(
        eventID: event.eventID, roomID: event.roomID, type: event.type, stateKey: event.stateKey, redacts: redacts,
        relatesTo: parent, membership: isRejected ? nil : event.membership, isRejected: isRejected,
        isOutlier: item.isOutlier))
  }

  private func stateRows(_ state: CurrentStateChange) -> [StreamRow] {
    if state.leavesRoom { return [.eventStateAll(roomID)] }
    return state.keys.map { key in
      .eventState(
        EventsRow.State(roomID: roomID, type: key.type, stateKey: key.stateKey, eventID: state.inserted[key]))
    }
  }
}
