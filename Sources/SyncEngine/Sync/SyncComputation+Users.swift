import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension SyncComputation {
  /// Reads from the rooms of a result who came into and who left the user's rooms.
  func movements(_ changes: RoomChanges, _ result: SyncResult) -> DeviceListReader.Movements {
    var users = DeviceListReader.Movements(joinedRooms: changes.newlyJoined, leftRooms: changes.newlyLeft)
    guard since != nil else { return users }
    for room in result.joined {
      for entry in room.wholeState where entry.event.event.membership == "join" {
        if let subject = entry.event.stateKey { users.arrived.insert(UserID(unchecked: subject)) }
      }
      for event in room.state + room.timeline.events where event.stored.type == EventType.member {
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
    _ users: DeviceListReader.Movements, _ now: StreamToken, to result: inout SyncResult
  ) async throws {
    let isBehind = since.map { $0.presence < now.presence } ?? false
    guard service.settings.isPresenceEnabled || isBehind else { return }
    guard !filter.presence.blocksAllTypes, !filter.presence.blocksAllSenders,
      filter.presence.passes(type: "m.presence")
    else { return }
    var wanted: Set<UserID> = []
    let newcomers = try await newcomers(users)
    if let since, !isFull {
      guard since.presence != now.presence || !newcomers.isEmpty else { return }
      wanted = try await visibleUsers(changedSince: since.presence)
    } else {
      wanted = try await readers.memberships.usersSharingRooms(with: user, outside: excluded)
      wanted.insert(user)
    }
    var states = try await stores.presence.states(of: Array(wanted.union(newcomers)))
    if isFull, !service.settings.includesOfflineUsers {
      states = states.filter { $0.value.state != .offline || newcomers.contains($0.key) }
    }
    result.presence = states.values.filter { filter.presence.passes(sender: $0.user.rawValue) }
  }

  /// The rooms that do not count for who sees whose presence.
  private var excluded: Set<RoomID> { service.settings.roomsWithoutPresence }

  /// Finds those who have come near the user, whose presence the client does not know yet.
  private func newcomers(_ users: DeviceListReader.Movements) async throws -> Set<UserID> {
    var newcomers = try await readers.memberships.joinedUsers(in: users.joinedRooms.subtracting(excluded))
    for other in users.arrived {
      if excluded.isEmpty {
        newcomers.insert(other)
      } else if try await readers.memberships.sharesRoom(
        user, with: other, outside: excluded)
      {
        newcomers.insert(other)
      }
    }
    newcomers.remove(user)
    return newcomers
  }

  /// Finds the users whose presence has changed, as far as the user sees it.
  func visibleUsers(changedSince token: Int64) async throws -> Set<UserID> {
    guard let changed = stores.presence.changes.allChanged(since: token) else {
      let all = try await readers.memberships.usersSharingRooms(with: user, outside: excluded).union([user])
      return all.filter { stores.presence.changes.hasChanged($0.rawValue, since: token) }
    }
    var visible: Set<UserID> = []
    for id in changed {
      let other = UserID(unchecked: id)
      if other == user {
        visible.insert(other)
      } else if try await readers.memberships.sharesRoom(user, with: other, outside: excluded) {
        visible.insert(other)
      }
    }
    return visible
  }

  // MARK: Device lists

  func addDeviceLists(
    _ users: DeviceListReader.Movements, _ now: StreamToken, to result: inout SyncResult
  ) async throws {
    guard let since else { return }
    var users = users
    try await readers.deviceLists.addMembers(
      of: result.memberships.filter { $0.membership == .join }.map(\.roomID), near: user, after: since.room,
      upTo: now.room, to: &users)
    let changes = try await readers.deviceLists.changes(
      for: user, after: since.deviceList, upTo: now.deviceList, users)
    result.changedDeviceLists = changes.changed
    result.leftDeviceLists = changes.left
  }
}
