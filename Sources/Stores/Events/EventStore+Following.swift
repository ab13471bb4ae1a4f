import MatrixEvents
import MatrixPrimitives
import Replication
import StorageEngine

extension EventStore {
  /// Keeps memory right by the streams `events`, `backfill` and `caches`.
  func follow(_ context: StoreContext) {
    context.afterLoad { [roomChanges, stateChanges, recent, ids] in
      roomChanges.start(at: ids.currentToken)
      stateChanges.start(at: ids.currentToken)
      recent.reset(floor: ids.currentToken)
    }
    context.follow(.events, for: self) { store, batches in
      for batch in batches { store.apply(batch) }
    }
    context.follow(.backfill, for: self) { store, batches in
      for batch in batches { store.applyBackfill(batch) }
    }
    context.caches.register("_get_event_cache") { [cache, listed] keys in
      cache.invalidate(firstOf: keys)
      listed.invalidate(firstOf: keys)
    }
    // Purged history and deleted rooms: what is gone must not be counted on.
    for function in ["ph_cache_fake", "dr_cache_fake"] {
      context.caches.register(function) { [weak self] _ in
        self?.invalidateAll()
        self?.forgetRecent()
      }
    }
  }

  private func apply(_ batch: StreamBatch) {
    for row in batch.rows {
      switch row {
      case .event(let event):
        if !event.isOutlier, !event.isRejected {
          recent.append(event.eventID, id: batch.token, instanceName: batch.instanceName, room: event.roomID)
        }
        invalidate(event.eventID)
        if let target = event.redacts { invalidate(target) }
        roomChanges.entityChanged(event.roomID.rawValue, at: batch.token)
      case .eventState(let state): stateChanges.entityChanged(state.roomID.rawValue, at: batch.token)
      case .eventStateAll(let room): stateChanges.entityChanged(room.rawValue, at: batch.token)
      default: break
      }
    }
  }

  private func applyBackfill(_ batch: StreamBatch) {
    for case .backfill(let event) in batch.rows {
      invalidate(event.eventID)
      if let target = event.redacts { invalidate(target) }
      recent.noteOlder(in: event.roomID)
    }
  }
}
