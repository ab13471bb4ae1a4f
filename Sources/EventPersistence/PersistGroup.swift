import MatrixEvents
import MatrixPrimitives
import Postgres
import StorageEngine
import Stores
import Synchronization

/// Batches of different rooms in one transaction: it looks up what is known, works out what changes, writes, announces.
///
/// Cost of a group of messages, however many rooms they are of: one round trip to look things up and for the ids, one
/// transaction that goes out as a whole.
struct PersistGroup: Sendable {
  /// One batch for each room; history (`backfilled`) is alone.
  let batches: [PersistBatch]
  let surroundings: PersistBatch.Surroundings

  private var stores: RoomStores { surroundings.stores }
  private var isBackfilled: Bool { batches.first?.backfilled == true }
  private var events: [PersistableEvent] { batches.flatMap(\.events) }
  private var generatorStream: StreamName { isBackfilled ? .backfill : .events }

  /// A batch of which it is known what it changes.
  private struct Prepared {
    let batch: PersistBatch
    let known: KnownEvents
    let sorted: SortedEvents
    let change: RoomChange
    let invalidations: [CacheInvalidation]
  }

  /// Writes the group.
  ///
  /// - Parameter whenVisible: called when everything is stored and only the disk is waited for, with whether each batch was
  ///   stored as it was given. Not called when nothing is written.
  /// - Returns: for each batch the stored events, one for each that was given.
  func run(whenVisible: @escaping @Sendable ([Bool]) -> Void) async throws -> [[StoredEvent]] {
    let events = events
    // Nobody may read past ids in flight, so they are taken early only where nothing slow can come in between.
    async let early = events.contains(where: \.event.isState) ? nil : reserve(events.count)
    let known = try await KnownEvents.lookUp(batches, stores: stores)
    let reserved = try await early
    defer { release(reserved, generatorStream) }
    var prepared: [Prepared] = []
    for (batch, known) in zip(batches, known) {
      let (sorted, change) = try await batch.change(known)
      prepared.append(
        Prepared(
          batch: batch, known: known, sorted: sorted, change: change,
          invalidations: sorted.isEmpty ? [] : batch.invalidations(change, known, sorted)))
    }
    let changing = prepared.filter { !$0.sorted.isEmpty }
    let areAsGiven = prepared.map { $0.sorted.fresh.count == $0.batch.events.count }
    let stored =
      changing.isEmpty ? [:] : try await write(changing, reserved) { whenVisible(areAsGiven) }
    var answers: [[StoredEvent]] = []
    for item in prepared { answers.append(try await item.batch.answers(stored, item.known)) }
    return answers
  }

  private func reserve(_ count: Int) async throws -> StreamIDReservation {
    isBackfilled
      ? try await stores.events.backfillIDs.allocate(count) : try await surroundings.ids.take(count)
  }

  private func release(_ reservation: StreamIDReservation?, _ stream: StreamName) {
    guard let reservation else { return }
    reservation.finish()
    surroundings.hub.wake(stream)
  }

  /// Takes ids unless they are taken, writes, and announces; the ids are given back when all is done.
  private func write(
    _ prepared: [Prepared], _ reserved: StreamIDReservation?, whenVisible: @escaping @Sendable () -> Void
  ) async throws -> [EventID: StoredEvent] {
    let cacheIDs = try await reserveCacheIDs(prepared.reduce(0) { $0 + $1.invalidations.count })
    defer { release(cacheIDs, .caches) }
    let count = prepared.reduce(0) { $0 + $1.sorted.count }
    let ids = if let reserved { reserved } else { try await reserve(count) }
    defer { release(ids, generatorStream) }
    let plans = plans(prepared, ids: ids.ids, cacheIDs: cacheIDs?.ids ?? [])
    let isApplied = Mutex(false)
    do {
      try await stores.database.transaction(
        "persist_events", isolation: .readCommitted,
        whenVisible: {
          for plan in plans { plan.applyToCaches() }
          isApplied.withLock { $0 = true }
          whenVisible()
        },
        { txn in try PersistWriter(plans: plans, txn: txn).write() })
    } catch let error as PostgresError where error.code == .commitOutcomeUnknown {
      // The connection broke while the commit was under way: look whether it has happened.
      guard try await areStored(plans) else {
        for plan in plans { plan.withdrawFromCaches() }
        throw error
      }
      // Once only: what followed in the same rooms may have been applied since.
      if !isApplied.withLock({ $0 }) { for plan in plans { plan.applyToCaches() } }
    }
    for plan in plans { plan.publish() }
    return plans.reduce(into: [:]) { $0.merge($1.storedByID) { $1 } }
  }

  /// Shares out the ids: each batch has its own without a gap, in the order of the group.
  private func plans(_ prepared: [Prepared], ids: [Int64], cacheIDs: [Int64]) -> [PersistPlan] {
    var (ids, cacheIDs) = (ids[...], cacheIDs[...])
    let now = stores.clock.nowMilliseconds
    return prepared.map { item in
      defer {
        ids = ids.dropFirst(item.sorted.count)
        cacheIDs = cacheIDs.dropFirst(item.invalidations.count)
      }
      return PersistPlan(
        batch: item.batch, sorted: item.sorted, change: item.change, known: item.known,
        ids: Array(ids.prefix(item.sorted.count)), cacheInvalidations: item.invalidations,
        cacheIDs: Array(cacheIDs.prefix(item.invalidations.count)), now: now)
    }
  }

  /// Returns whether plans have been carried out for good, as soon as the database can be asked. The ids stay in flight
  /// until then: given up, they would let every reader pass events that may well be there.
  private func areStored(_ plans: [PersistPlan]) async throws -> Bool {
    let fresh = plans.flatMap(\.fresh).map(\.stored)
    let former = plans.flatMap(\.formerOutliers).map(\.stored)
    while true {
      do {
        let found = try await stores.events.placesOnDisk((fresh + former).map(\.eventID))
        return fresh.allSatisfy { found[$0.eventID]?.streamOrdering == $0.streamOrdering }
          && former.allSatisfy { found[$0.eventID]?.isOutlier == false }
      } catch let error as PostgresError
        where [.poolTimeout, .connectionLost, .commitOutcomeUnknown].contains(error.code)
      {
        try await Task.sleep(for: .seconds(1))
      }
    }
  }

  private func reserveCacheIDs(_ count: Int) async throws -> StreamIDReservation? {
    count == 0 ? nil : try await stores.invalidator.ids.allocate(count)
  }
}
