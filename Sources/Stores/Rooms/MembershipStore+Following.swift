import MatrixEvents
import MatrixPrimitives
import Replication
import StorageEngine

extension MembershipStore {
  /// Keeps memory right by the streams `events` and `caches`.
  func follow(_ context: StoreContext) {
    context.follow(.events, for: self) { store, batches in
      // Changes of state have the first place of a transaction, the events that make them may have later ones.
      let stated = Self.memberships(batches)
      for batch in batches { for row in batch.rows { store.apply(row, stated) } }
    }
    context.caches.register("did_forget", "get_forgotten_rooms_for_user", of: roomsOfUser)
    context.caches.register("dr_cache_fake") { [members] keys in
      if let room = keys?.first { members.invalidate(RoomID(unchecked: room)) }
    }
  }

  /// Collects the memberships that events state.
  private static func memberships(_ batches: [StreamBatch]) -> [EventID: Membership] {
    var found: [EventID: Membership] = [:]
    for batch in batches {
      for case .event(let event) in batch.rows {
        if let membership = event.membership.flatMap(Membership.init(rawValue:)) { found[event.eventID] = membership }
      }
    }
    return found
  }

  private func apply(_ row: StreamRow, _ stated: [EventID: Membership]) {
    switch row {
    case .event(let event):
      if event.isOutlier, event.type == "m.room.member", let user = event.stateKey {
        invalidate(user: UserID(unchecked: user))
      }
    case .eventState(let state):
      guard state.type == "m.room.member" else { return }
      apply(
        room: state.roomID, user: UserID(unchecked: state.stateKey), eventID: state.eventID,
        membership: state.eventID.flatMap { stated[$0] })
    case .eventStateAll(let room):
      invalidate(room: room)
      roomsOfUser.invalidateAll()
    default: break
    }
  }
}
