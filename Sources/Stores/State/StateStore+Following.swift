import MatrixEvents
import MatrixPrimitives
import Replication
import StorageEngine

extension StateStore {
  /// Keeps memory right by the streams `events`, `backfill` and `caches`; to be called after the store of events has registered.
  ///
  /// The function `cs_cache_fake` is left out: the "state" rows of the events stream say the same in the right order.
  func follow(_ context: StoreContext) {
    context.follow(.events, for: self) { store, batches in
      for batch in batches { for row in batch.rows { store.apply(row) } }
    }
    context.follow(.backfill, for: self) { store, batches in
      for batch in batches { store.applyBackfill(batch) }
    }
    context.caches.register("_get_state_group_for_event", of: groupOfEvent)
    for function in ["_get_event_cache", "ph_cache_fake"] {
      context.caches.register(function) { [currentEvents] _ in currentEvents.invalidateAll() }
    }
    context.caches.register("dr_cache_fake") { [weak self] keys in
      self?.currentEvents.invalidateAll()
      if let room = keys?.first { self?.invalidateCurrent(RoomID(unchecked: room)) }
    }
  }

  private func apply(_ row: StreamRow) {
    switch row {
    case .event(let event): if event.redacts != nil { currentEvents.invalidate(event.roomID) }
    case .eventState(let state): applyCurrent(state.roomID, [(StateKey(state.type, state.stateKey), state.eventID)])
    case .eventStateAll(let room): invalidateCurrent(room)
    default: break
    }
  }

  private func applyBackfill(_ batch: StreamBatch) {
    for case .backfill(let event) in batch.rows {
      if event.redacts != nil { currentEvents.invalidate(event.roomID) }
      groupOfEvent.invalidate(event.eventID)
    }
  }
}
