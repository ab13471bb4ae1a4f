import Logging
import MatrixPrimitives
import Replication
import Stores

/// The waking of syncs by the rows of the streams, once their positions have moved.
struct StreamNotices: Sendable {
  let memberships: MembershipStore
  let hub: StreamHub
  let notifier: Notifier
  let typing: TypingService
  let logger: Logger

  func register() {
    hub.subscribe(.typing) { [typing] batch in
      for case .typing(let row) in batch.rows { typing.apply(row, at: batch.token) }
    }
    hub.subscribeAfterAdvance(.events) { batch in
      for row in batch.rows { event(row) }
      notifier.positionMoved()
    }
    after(.typing) { if case .typing(let row) = $0 { notifier.wake(rooms: [row.roomID]) } }
    after(.receipts) { if case .receipt(let row) = $0 { notifier.wake(rooms: [row.roomID]) } }
    after(.accountData) { if case .accountData(let row) = $0 { notifier.wake(users: [row.userID]) } }
    after(.threadSubscriptions) {
      if case .threadSubscription(let row) = $0 { notifier.wake(users: [row.userID]) }
    }
    after(.pushRules) { if case .pushRules(let user) = $0 { notifier.wake(users: [user]) } }
    after(.toDevice) { row in
      if case .toDevice(let entity) = row, entity.hasPrefix("@") { notifier.wake(users: [UserID(unchecked: entity)]) }
    }
    hub.subscribeAfterAdvance(
      .presence,
      awaiting: { batch in
        for case .presence(let row) in batch.rows { await wakeNeighbours(of: row.userID) }
        notifier.positionMoved()
      })
    hub.subscribeAfterAdvance(
      .deviceLists,
      awaiting: { batch in
        for case .deviceLists(let row) in batch.rows where !row.areHostsCalculated {
          if row.isSignature { notifier.wake(users: [row.userID]) } else { await wakeNeighbours(of: row.userID) }
        }
        notifier.positionMoved()
      })
  }

  private func after(_ stream: StreamName, _ body: @escaping @Sendable (StreamRow) -> Void) {
    hub.subscribeAfterAdvance(stream) { batch in
      for row in batch.rows { body(row) }
      notifier.positionMoved()
    }
  }

  private func event(_ row: StreamRow) {
    switch row {
    case .event(let event):
      guard !event.isRejected else { return }
      if event.type == "m.room.member", let subject = event.stateKey {
        let user = UserID(unchecked: subject)
        notifier.membershipChanged(user, in: event.roomID, isJoined: event.membership == "join")
        if event.membership != "join" { typing.userLeft(user, event.roomID) }
      }
      if !event.isOutlier { notifier.wake(rooms: [event.roomID]) }
    case .eventState(let state): notifier.wake(rooms: [state.roomID])
    case .eventStateAll(let room): notifier.wake(rooms: [room])
    default: break
    }
  }

  /// Wakes everybody who shares a room with a user, and the user.
  private func wakeNeighbours(of user: UserID) async {
    notifier.wake(users: [user])
    do {
      let rooms = try await memberships.rooms(for: user, memberships: [.join])
      notifier.wake(rooms: rooms.map(\.roomID))
    } catch {
      logger.warning("users to be woken could not be found", metadata: ["error": "\(error)"])
    }
  }
}
