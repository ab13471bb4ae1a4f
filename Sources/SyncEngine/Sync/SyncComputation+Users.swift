import MatrixPrimitives
import RoomServices
import Stores

extension SyncComputation {
  /// Holds the other users whose relation to this user's rooms changed.
  struct UserChanges: Sendable {
    var arrived: Set<UserID> = []
    var gone: Set<UserID> = []
  }

  /// Reads from the rooms of a result who came into and who left the user's rooms.
  func userChanges(_ changes: RoomChanges, _ result: SyncResult) -> UserChanges {
    var users = UserChanges()
    guard since != nil else { return users }
    for room in result.joined {
      for entry in room.wholeState where entry.event.event.membership == "join" {
        if let subject = entry.event.stateKey { users.arrived.insert(UserID(unchecked: subject)) }
      }
      for event in room.state + room.timeline.events where event.stored.type == "m.room.member" {
        guard let subject = event.stored.stateKey.map({ UserID(unchecked: $0) }) else { continue }
        switch event.stored.event.membership {
        case "join", "invite", "knock":
          users.arrived.insert(subject)
          users.gone.remove(subject)
        default:
          if event.replaced?.event.membership == "join" { users.gone.insert(subject) }
          users.arrived.remove(subject)
        }
      }
    }
    return users
  }

  // MARK: Presence

  func addPresence(
    _ changes: RoomChanges, _ users: UserChanges, _ now: StreamToken, to result: inout SyncResult
  ) async throws {
    let isBehind = since.map { $0.presence < now.presence } ?? false
    guard service.settings.isPresenceEnabled || isBehind else { return }
    guard !filter.presence.blocksAllTypes, !filter.presence.blocksAllSenders,
      filter.presence.passes(type: "m.presence")
    else { return }
    var wanted: Set<UserID> = []
    var newcomers = users.arrived
    for room in changes.newlyJoined { newcomers.formUnion(try await storage.memberships.joinedUsers(room)) }
    newcomers.remove(user)
    if let since, !isFull {
      guard since.presence != now.presence || !newcomers.isEmpty else { return }
      wanted = try await visibleUsers(changedSince: since.presence)
    } else {
      wanted = try await storage.memberships.usersSharingRooms(with: user)
      wanted.insert(user)
    }
    var states = try await storage.presence.states(of: Array(wanted.union(newcomers)))
    if isFull, !service.settings.includesOfflineUsers {
      states = states.filter { $0.value.state != .offline || newcomers.contains($0.key) }
    }
    result.presence = states.values.filter { filter.presence.passes(sender: $0.user.rawValue) }
  }

  private func visibleUsers(changedSince token: Int64) async throws -> Set<UserID> {
    guard let changed = storage.presence.changes.allChanged(since: token) else {
      let all = try await storage.memberships.usersSharingRooms(with: user).union([user])
      return all.filter { storage.presence.changes.hasChanged($0.rawValue, since: token) }
    }
    var visible: Set<UserID> = []
    for id in changed {
      let other = UserID(unchecked: id)
      if other == user { visible.insert(other) } else if try await sharesRoom(with: other) { visible.insert(other) }
    }
    return visible
  }

  /// Tells whether another user is in one of this user's rooms.
  private func sharesRoom(with other: UserID) async throws -> Bool {
    for room in try await storage.memberships.rooms(for: user, memberships: [.join]) {
      if try await storage.memberships.members(room.roomID)[other]?.membership == .join { return true }
    }
    return false
  }

  // MARK: Device lists

  func addDeviceLists(
    _ changes: RoomChanges, _ users: UserChanges, _ now: StreamToken, to result: inout SyncResult
  ) async throws {
    guard let since else { return }
    var changed = users.arrived
    for room in changes.newlyJoined { changed.formUnion(try await storage.memberships.joinedUsers(room)) }
    if since.deviceList != now.deviceList {
      for other in try await storage.deviceLists.usersWithChangedDevices(after: since.deviceList, upTo: now.deviceList)
      {
        if other == user { changed.insert(other) } else if try await sharesRoom(with: other) { changed.insert(other) }
      }
      changed.formUnion(
        try await storage.deviceLists.usersSigned(by: user, after: since.deviceList, upTo: now.deviceList))
    }
    var gone = users.gone
    for room in changes.newlyLeft { gone.formUnion(try await storage.memberships.joinedUsers(room)) }
    gone.remove(user)
    for other in gone { if try await sharesRoom(with: other) { gone.remove(other) } }
    result.changedDeviceLists = changed
    result.leftDeviceLists = gone
  }
}
