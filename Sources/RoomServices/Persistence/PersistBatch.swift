import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine
import Stores

/// Writes one batch of events of one room: looks up what is known, works out what changes, writes, announces.
///
/// Cost of a batch of messages: one round trip to look things up, one for the ids, one transaction that goes out as a whole.
struct PersistBatch: Sendable {
  /// Holds what all batches of a process share.
  struct Surroundings: Sendable {
    let storage: Storage
    let state: StateService
    let hub: StreamHub
    /// Remembers the least depth written for a room, so that `room_depth` is touched only when that falls.
    let minimumDepths = Cache<RoomID, Int64>(name: "*roomMinimumDepth*", capacity: 20_000)
    /// Remembers who is marked as taking part in a room, so that the mark is written once.
    let participants = Cache<Participant, Bool>(name: "*roomParticipants*", capacity: 50_000)
  }

  /// Names a user in a room.
  struct Participant: Hashable, Sendable {
    let roomID: RoomID
    let userID: UserID
  }

  let events: [PersistableEvent]
  let roomID: RoomID
  let backfilled: Bool
  let surroundings: Surroundings

  var storage: Storage { surroundings.storage }

  func run() async throws -> [StoredEvent] {
    // Nobody may read past ids in flight, so they are taken early only where nothing slow can come in between.
    async let early = events.contains(where: \.event.isState) ? nil : generator.allocate(events.count)
    let known = try await KnownEvents.lookUp(events, roomID: roomID, storage: storage)
    let reserved = try await early
    defer { release(reserved, generatorStream) }
    try known.checkNothingFollowsReplaced(events)
    let sorted = known.sort(events)
    var stored: [EventID: StoredEvent] = [:]
    if !sorted.isEmpty {
      let change =
        backfilled
        ? RoomChange()
        : try await RoomGraph(
          roomID: roomID, events: sorted.timeline, surroundings: surroundings
        ).change()
      stored = try await write(sorted, change, known, reserved)
    }
    return try await answers(stored, known)
  }

  private var generator: StreamIDGenerator { backfilled ? storage.ids.backfill : storage.ids.events }
  private var generatorStream: StreamName { backfilled ? .backfill : .events }

  private func release(_ reservation: StreamIDReservation?, _ stream: StreamName) {
    guard let reservation else { return }
    reservation.finish()
    surroundings.hub.wake(stream)
  }

  /// Takes ids unless they are taken, writes, and announces; the ids are given back when all is done.
  private func write(
    _ sorted: SortedEvents, _ change: RoomChange, _ known: KnownEvents, _ reserved: StreamIDReservation?
  ) async throws -> [EventID: StoredEvent] {
    let invalidations = invalidations(change, known, sorted)
    let cacheIDs = try await reserveCacheIDs(invalidations.count)
    defer { release(cacheIDs, .caches) }
    let ids = if let reserved { reserved } else { try await generator.allocate(sorted.count) }
    defer { release(ids, generatorStream) }
    let plan = PersistPlan(
      batch: self, sorted: sorted, change: change, known: known, ids: ids.ids, cacheInvalidations: invalidations,
      cacheIDs: cacheIDs?.ids ?? [], now: storage.clock.nowMilliseconds)
    do {
      try await storage.database.transaction("persist_events", isolation: .readCommitted) { txn in
        try PersistWriter(plan: plan, txn: txn).write()
      }
    } catch let error as PostgresError where error.sqlState == PersistWriter.missingRowState {
      throw MatrixError.notFound("The room, or a part of its state, is gone")
    } catch let error as PostgresError where error.code == .commitOutcomeUnknown {
      // The connection broke while the commit was under way: look whether it has happened.
      guard try await isStored(plan) else { throw error }
    }
    plan.applyToCaches()
    plan.publish()
    return plan.storedByID
  }

  /// Tells whether a plan has been carried out, as soon as the database can be asked. The ids stay in flight until then:
  /// given up, they would let every reader pass events that may well be there.
  private func isStored(_ plan: PersistPlan) async throws -> Bool {
    while true {
      do {
        let rows = try await KnownEvents.lookUp(events, roomID: roomID, storage: storage).stored
        return plan.fresh.allSatisfy { rows[$0.stored.eventID]?.streamOrdering == $0.stored.streamOrdering }
          && plan.formerOutliers.allSatisfy { rows[$0.stored.eventID]?.isOutlier == false }
      } catch let error as PostgresError where error.code == .poolTimeout || error.code == .connectionLost {
        try await Task.sleep(for: .seconds(1))
      }
    }
  }

  private func reserveCacheIDs(_ count: Int) async throws -> StreamIDReservation? {
    count == 0 ? nil : try await storage.ids.caches.allocate(count)
  }

  /// Lists what readers on other processes must drop and cannot see from the rows of the events stream.
  private func invalidations(
    _ change: RoomChange, _ known: KnownEvents, _ sorted: SortedEvents
  ) -> [CacheInvalidation] {
    var items: [CacheInvalidation] = []
    if let state = change.state {
      let users = state.changedMembers(of: storage).map(\.rawValue)
      var rest = users[...]
      repeat {
        items.append(CacheInvalidation("cs_cache_fake", [roomID.rawValue] + rest.prefix(50)))
        rest = rest.dropFirst(50)
      } while !rest.isEmpty
    }
    for relation in known.redactedRelations { items += relation.invalidations(roomID: roomID) }
    if sorted.fresh.contains(where: { RetentionPolicy($0.event) != nil && $0.context.rejected == nil }) {
      items.append(CacheInvalidation("get_retention_policy_for_room", [roomID.rawValue]))
    }
    return items
  }

  /// Finds the stored event for each one that was given.
  private func answers(
    _ stored: [EventID: StoredEvent], _ known: KnownEvents
  ) async throws -> [StoredEvent] {
    let ids = events.map { known.replacements[$0.event.eventID] ?? $0.event.eventID }
    let missing = ids.filter { stored[$0] == nil }
    let older = missing.isEmpty ? [:] : try await storage.events.events(missing, allowRejected: true)
    return try ids.map { id in
      guard let event = stored[id] ?? older[id] else { throw StoreError("\(id.rawValue) is not stored") }
      return event
    }
  }
}
