import MatrixEvents
import MatrixPrimitives
import Replication
import StorageEngine
import Stores

/// Events of one room that are written together, and the changes that follow from them.
struct PersistBatch: Sendable {
  /// What all batches of a process share.
  struct Surroundings: Sendable {
    let stores: RoomStores
    let state: StateService
    let hub: StreamHub
    let pushActions: PushActionWriter
    /// The supply of events' places in their stream.
    let ids: StreamIDStock
    /// The least depth written for a room, so that `room_depth` is touched only when that falls.
    let minimumDepths: Cache<RoomID, Int64>
    /// The users marked as taking part in a room, so that the mark is written once.
    let participants: Cache<Participant, Bool>

    init(stores: RoomStores, state: StateService, hub: StreamHub, pushActions: PushActionWriter) {
      self.stores = stores
      self.state = state
      self.hub = hub
      self.pushActions = pushActions
      ids = StreamIDStock(stores.events.ids)
      minimumDepths = stores.caches.cache("*roomMinimumDepth*", capacity: 20_000)
      participants = stores.caches.cache("*roomParticipants*", capacity: 50_000)
    }
  }

  /// A user in a room.
  struct Participant: Hashable, Sendable {
    let roomID: RoomID
    let userID: UserID
  }

  let events: [PersistableEvent]
  let roomID: RoomID
  let backfilled: Bool
  /// Whether the events were made just now, so that it need not be looked whether they are stored: if one were, after all,
  /// the database would refuse it.
  let areNew: Bool
  let surroundings: Surroundings

  /// Works out what is new in the batch, and what that changes.
  ///
  /// - Throws: `MatrixError` 409 when events follow one that is not going to be stored.
  func change(_ known: KnownEvents) async throws -> (sorted: SortedEvents, change: RoomChange) {
    try known.checkNothingFollowsReplaced(events)
    let sorted = known.sort(events)
    guard !backfilled, !sorted.isEmpty else { return (sorted, RoomChange()) }
    let graph = RoomGraph(roomID: roomID, events: sorted.timeline, surroundings: surroundings)
    return (sorted, try await graph.change())
  }

  /// Lists what readers on other processes must drop and cannot see from the rows of the events stream.
  func invalidations(_ change: RoomChange, _ known: KnownEvents, _ sorted: SortedEvents) -> [CacheInvalidation] {
    var items: [CacheInvalidation] = []
    if let state = change.state {
      let users = state.changedMembers(of: surroundings.stores).map(\.rawValue)
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
  func answers(_ stored: [EventID: StoredEvent], _ known: KnownEvents) async throws -> [StoredEvent] {
    let ids = events.map { known.replacements[$0.event.eventID] ?? $0.event.eventID }
    let missing = ids.filter { stored[$0] == nil }
    let older = missing.isEmpty ? [:] : try await surroundings.stores.events.events(missing, allowRejected: true)
    return try ids.map { id in
      guard let event = stored[id] ?? older[id] else { throw StoreError("\(id.rawValue) is not stored") }
      return event
    }
  }
}
