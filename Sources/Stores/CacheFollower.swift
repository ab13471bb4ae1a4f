import MatrixEvents
import MatrixPrimitives
import Replication
import StorageEngine

/// Keeps the caches of events, state and memberships right by the rows of the streams `events`, `backfill` and `caches`.
///
/// What this process wrote itself has been applied at the commit already (see ``applyCommitted(_:)``), so own rows are left
/// out here: applied again later they could put an older state over a newer one.
struct CacheFollower: Sendable {
  let storage: Storage

  static func register(_ storage: Storage) {
    storage.rooms.register(in: storage.caches)
    storage.memberships.register(in: storage.caches)
    registerEventFunctions(storage)
    // The storage holds the hub, so the hub may not hold the storage.
    storage.hub.subscribe(.events) { [weak storage] batch in
      guard let storage, batch.instanceName != storage.hub.instanceName else { return }
      CacheFollower(storage: storage).apply(batch)
    }
    storage.hub.subscribe(.backfill) { [weak storage] batch in
      guard let storage, batch.instanceName != storage.hub.instanceName else { return }
      CacheFollower(storage: storage).applyBackfill(batch)
    }
    storage.hub.subscribe(.caches) { [registry = storage.caches] batch in
      for case .caches(let row) in batch.rows { registry.apply(cacheFunc: row.cacheFunction, keys: row.keys) }
    }
  }

  private static func registerEventFunctions(_ storage: Storage) {
    let (events, state, memberships) = (storage.events, storage.state, storage.memberships)
    storage.caches.register("_get_event_cache") { keys in
      state.currentEvents.invalidateAll()
      if let id = keys?.first { events.invalidate(EventID(unchecked: id)) } else { events.invalidateAll() }
    }
    // Purged history and deleted rooms: what is gone must not be counted on.
    for name in ["ph_cache_fake", "dr_cache_fake"] {
      storage.caches.register(name) { [counts = storage.notificationCounts] _ in
        events.invalidateAll()
        events.forgetRecent()
        state.currentEvents.invalidateAll()
        counts.invalidateAll()
      }
    }
    storage.caches.register("dr_cache_fake") { keys in
      guard let room = keys?.first.map({ RoomID(unchecked: $0) }) else { return }
      state.invalidateCurrent(room)
      memberships.invalidate(room: room)
    }
    storage.caches.register("_get_state_group_for_event") { state.groupOfEvent.invalidate(firstOf: $0) }
    // `cs_cache_fake` is left out: the "state" rows of the events stream say the same in the right order.
  }

  /// Applies rows that a writer committed under one token, in order.
  ///
  /// - Parameter memberships: the memberships that events state, as far as they are known beforehand.
  func apply(_ batch: StreamBatch, memberships known: [EventID: Membership] = [:]) {
    let memberEvents = known.isEmpty ? Self.memberships(batch) : known
    for row in batch.rows {
      switch row {
      case .event(let event):
        if !event.isOutlier, !event.isRejected {
          storage.events.recent.append(
            event.eventID, id: batch.token, instanceName: batch.instanceName, room: event.roomID)
        }
        apply(event, token: batch.token)
      case .eventState(let state): apply(state, memberEvents, token: batch.token)
      case .eventStateAll(let room):
        storage.state.invalidateCurrent(room)
        storage.historyOpenness.invalidate(room)
        storage.memberships.invalidate(room: room)
        storage.memberships.roomsOfUser.invalidateAll()
        storage.events.stateChanges.entityChanged(room.rawValue, at: batch.token)
      default: break
      }
    }
  }

  /// Collects the memberships that a batch's events state.
  static func memberships(_ batch: StreamBatch) -> [EventID: Membership] {
    var found: [EventID: Membership] = [:]
    for case .event(let event) in batch.rows {
      if let membership = event.membership.flatMap(Membership.init(rawValue:)) { found[event.eventID] = membership }
    }
    return found
  }

  private func apply(_ event: EventsRow.Event, token: Int64) {
    storage.events.invalidate(event.eventID)
    if let target = event.redacts {
      storage.events.invalidate(target)
      storage.state.currentEvents.invalidate(event.roomID)
    }
    if let target = event.relatesTo { storage.relations.noteArrival(target: storage.events.cache.peek(target)) }
    storage.events.roomChanges.entityChanged(event.roomID.rawValue, at: token)
    if event.isOutlier, event.type == "m.room.member", let user = event.stateKey {
      storage.memberships.invalidate(user: UserID(unchecked: user))
    }
    if !event.isOutlier, !event.isRejected { storage.rooms.invalidateExtremities(event.roomID) }
  }

  private func apply(_ state: EventsRow.State, _ memberEvents: [EventID: Membership], token: Int64) {
    let key = StateKey(state.type, state.stateKey)
    storage.state.applyCurrent(state.roomID, [(key, state.eventID)])
    storage.events.stateChanges.entityChanged(state.roomID.rawValue, at: token)
    if state.type == "m.room.history_visibility" { storage.historyOpenness.invalidate(state.roomID) }
    guard state.type == "m.room.member" else { return }
    storage.memberships.apply(
      room: state.roomID, user: UserID(unchecked: state.stateKey), eventID: state.eventID,
      membership: state.eventID.flatMap { memberEvents[$0] })
  }

  private func applyBackfill(_ batch: StreamBatch) {
    for case .backfill(let event) in batch.rows {
      storage.events.invalidate(event.eventID)
      if let target = event.redacts {
        storage.events.invalidate(target)
        storage.state.currentEvents.invalidate(event.roomID)
      }
      if let target = event.relatesTo { storage.relations.noteArrival(target: storage.events.cache.peek(target)) }
      storage.events.recent.noteOlder(in: event.roomID)
      storage.state.groupOfEvent.invalidate(event.eventID)
    }
  }
}

extension Storage {
  /// Applies rows of the `events` stream that this process has just committed, before their position is announced.
  public func applyCommitted(_ batches: [StreamBatch]) {
    let follower = CacheFollower(storage: self)
    // Changes of state stand at the first place of a transaction, the events that make them may stand at later ones.
    let memberships = batches.reduce(into: [:]) { $0.merge(CacheFollower.memberships($1)) { $1 } }
    for batch in batches { follower.apply(batch, memberships: memberships) }
  }
}

extension Storage {
  /// Forgets whatever may stem from events of a room that this process applied and the database then lost.
  ///
  /// - Parameter members: the users whose memberships those events stated.
  public func forgetUncommitted(room: RoomID, members: [UserID]) {
    events.invalidateAll()
    events.forgetRecent()
    state.groupOfEvent.invalidateAll()
    state.invalidateCurrent(room)
    historyOpenness.invalidate(room)
    rooms.invalidateExtremities(room)
    memberships.invalidate(room: room)
    for member in members { memberships.invalidate(user: member) }
  }
}

extension Cache where Key == RoomID {
  /// Drops the entry of the room that is the first of an invalidation's keys; everything when there are none.
  func invalidate(firstOf keys: [Text]?) {
    if let room = keys?.first { invalidate(RoomID(unchecked: room)) } else { invalidateAll() }
  }
}

extension Cache where Key == UserID {
  /// Drops the entry of the user who is the first of an invalidation's keys; everything when there are none.
  func invalidate(firstOf keys: [Text]?) {
    if let user = keys?.first { invalidate(UserID(unchecked: user)) } else { invalidateAll() }
  }
}

extension Cache where Key == EventID {
  /// Drops the entry of the event that is the first of an invalidation's keys; everything when there are none.
  func invalidate(firstOf keys: [Text]?) {
    if let event = keys?.first { invalidate(EventID(unchecked: event)) } else { invalidateAll() }
  }
}
