import MatrixEvents
import MatrixPrimitives
import Stores

extension RoomWriter {
  private func isLocal(_ user: Text) -> Bool {
    UserID(unchecked: user).serverName == plan.stores.config.serverName
  }

  /// Writes the memberships that the batch's events state, current or not.
  func writeMemberships() {
    let members = plan.accepted.filter { $0.event.type == EventType.member && $0.event.stateKey != nil }
    MembershipStore.enqueue(members, room: plan.roomID, in: txn)
    if plan.backfilled { return }
    for event in members where event.item.isOutlier && event.item.metadata.outOfBandMembership {
      guard let user = event.event.stateKey, isLocal(user) else { continue }
      MembershipStore.enqueueOutOfBand(event, user: user, room: plan.roomID, in: txn)
    }
  }

  /// Changes the current state and what is derived from it. Comes after the events and memberships, to which it refers.
  func writeCurrentState() {
    guard let change = plan.change.state, let stream = plan.stateStream else { return }
    let users = snapshotUsers(change)
    if change.leavesRoom {
      SlidingSyncTables.enqueueSnapshots(users, room: plan.roomID, in: txn)
      StateStore.enqueueDeparture(from: plan.roomID, stream: stream, instanceName: plan.instanceName, in: txn)
    } else {
      StateStore.enqueueCurrent(
        change.inserted, keys: change.keys, room: plan.roomID, stream: stream, instanceName: plan.instanceName, in: txn)
      SlidingSyncTables.enqueueJoinedRoom(
        plan.roomID, inserted: change.inserted, removed: change.removed, given: plan.given.map(\.event),
        stored: Array(plan.storedByID.keys), in: txn)
      SlidingSyncTables.enqueueSnapshots(users, room: plan.roomID, in: txn)
    }
    let touched = change.keys.filter { $0.type == EventType.member && isLocal($0.stateKey) }.map(\.stateKey)
    let removed = Set(touched).subtracting(users.map(\.user)).sorted()
    MembershipStore.enqueueRemoval(of: removed, room: plan.roomID, in: txn)
    MembershipStore.enqueueCurrent(users, room: plan.roomID, in: txn)
  }

  /// Lists the local users whose membership is set, with the event that sets it.
  private func snapshotUsers(_ change: CurrentStateChange) -> [(user: Text, event: Text)] {
    change.inserted.filter { $0.key.type == EventType.member && isLocal($0.key.stateKey) }
      .map { ($0.key.stateKey, $0.value.rawValue) }.sorted { $0.0 < $1.0 }
  }
}
