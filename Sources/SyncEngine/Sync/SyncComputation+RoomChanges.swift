import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension SyncComputation {
  /// Finds out which rooms have something to say.
  func roomChanges(_ memberships: [RoomForUser], _ now: StreamToken) async throws -> RoomChanges {
    var changes = RoomChanges()
    for room in memberships where room.membership == .join && isIncluded(room) { changes.joined.insert(room.roomID) }
    if let since {
      try await addMembershipChanges(memberships, since, now, to: &changes)
    } else {
      addAllMemberships(memberships, to: &changes)
    }
    guard !filter.blocksAllRooms else { return changes }
    try await addDepartures(to: &changes)
    try await addRoomData(to: &changes)
    try await addEphemeral(now, to: &changes)
    addRoomsWithEvents(to: &changes)
    let candidates =
      isFull
      ? changes.joined
      : changes.withEvents.union(changes.newlyJoined).union(changes.accountData.keys).union(changes.tags.keys)
        .union(changes.typing.keys).union(changes.receipts.keys).intersection(changes.joined)
    changes.toSend = candidates.filter { filter.passes(room: $0) }.sorted()
    return changes
  }

  private func isIncluded(_ room: RoomForUser) -> Bool {
    room.roomVersion != nil && !room.isForgotten && !service.settings.excludedRooms.contains(room.roomID)
  }

  // MARK: Memberships

  private func addAllMemberships(_ memberships: [RoomForUser], to changes: inout RoomChanges) {
    for room in memberships where isIncluded(room) {
      switch room.membership {
      case .join: continue
      case .invite: changes.invites.append(room.eventID)
      case .knock: changes.knocks.append(room.eventID)
      case .leave, .ban:
        // Rooms the user left by their own will are sent only when asked for.
        guard filter.includeLeave || room.membership == .ban || room.sender != user else { continue }
        changes.left.append(RoomChanges.Left(room: room.roomID, eventID: room.eventID, isNewlyJoined: true))
      }
    }
  }

  private func addMembershipChanges(
    _ memberships: [RoomForUser], _ since: StreamToken, _ now: StreamToken, to changes: inout RoomChanges
  ) async throws {
    let isNew = { (room: RoomForUser) in
      !since.room.position.covers(room.streamOrdering, instance: room.instanceName)
    }
    guard memberships.contains(where: isNew) else { return }
    let events = try await storage.events.membershipChanges(userID: user, after: since.room, upTo: now.room)
    let byRoom = Dictionary(
      grouping: events.filter { !service.settings.excludedRooms.contains($0.roomID) }, by: \.roomID)
    let before = try await membershipsBefore(byRoom, since)
    for (room, events) in byRoom { classify(room, events, before[room], to: &changes) }
  }

  /// Returns how the user stood to each room at the token: what the first event of the span replaced.
  private func membershipsBefore(
    _ byRoom: [RoomID: [MembershipChange]], _ since: StreamToken
  ) async throws -> [RoomID: Text] {
    let firsts = try await storage.events.events(byRoom.values.compactMap { $0.first?.eventID })
    var replaced: [RoomID: EventID] = [:]
    for event in firsts.values {
      if let id = event.event.unsigned?["replaces_state"]?.string { replaced[event.roomID] = EventID(unchecked: id) }
    }
    let previous = try await storage.events.events(Array(replaced.values))
    return replaced.compactMapValues { previous[$0]?.event.membership }
  }

  /// Sorts a room into one section, that of the user's newest membership.
  ///
  /// - Parameter events: the user's memberships of the room in the span, oldest first.
  private func classify(_ room: RoomID, _ events: [MembershipChange], _ before: Text?, to changes: inout RoomChanges) {
    let others = events.filter { $0.membership != "join" }
    let hasJoined = others.count < events.count
    if changes.joined.contains(room) {
      if !others.isEmpty || before != "join" { changes.newlyJoined.insert(room) }
      return
    }
    guard let last = events.last, last.membership != "join" else { return }
    if hasJoined || before == "join" { changes.newlyLeft.insert(room) }
    switch last.membership {
    case "invite": changes.invites.append(last.eventID)
    case "knock": changes.knocks.append(last.eventID)
    default:
      changes.left.append(
        RoomChanges.Left(room: room, eventID: last.eventID, isNewlyJoined: hasJoined && before != "join"))
    }
  }

  /// Finds where the user's view of the rooms ends that they have left.
  private func addDepartures(to changes: inout RoomChanges) async throws {
    let departures = try await storage.memberships.departures(of: user, from: changes.left.map(\.room))
    for index in changes.left.indices { changes.left[index].departure = departures[changes.left[index].room] }
  }

  // MARK: Data

  private func addRoomData(to changes: inout RoomChanges) async throws {
    let data = try await storage.accountData.data(of: user)
    changes.ignoredUsers = data.ignoredUsers
    let wanted = filter.roomAccountData
    guard !wanted.blocksAllTypes, !wanted.blocksAllSenders, !wanted.blocksAllRooms else { return }
    guard let since, !isFull else {
      changes.accountData = data.rooms
      changes.tags = data.tags.filter { !$0.value.tags.isEmpty }
      return
    }
    if storage.accountData.changes.hasChanged(user.rawValue, since: since.accountData) {
      changes.accountData = data.roomChanges(since: since.accountData)
      changes.tags = data.tagChanges(since: since.accountData)
    }
    // A room that was joined again comes with the tags it had.
    for room in changes.newlyJoined where changes.tags[room] == nil {
      if let tags = data.tags[room], !tags.tags.isEmpty { changes.tags[room] = tags }
    }
  }

  private func addEphemeral(_ now: StreamToken, to changes: inout RoomChanges) async throws {
    guard !filter.ephemeral.blocksAll else { return }
    if filter.ephemeral.passes(type: "m.typing") {
      changes.typing = service.typing.changes(in: changes.joined, since: since?.typing ?? 0)
    }
    guard filter.ephemeral.passes(type: "m.receipt"), since?.receipt != now.receipt else { return }
    changes.receipts = try await storage.receipts.receipts(
      in: Array(changes.joined), after: since?.receipt, upTo: now.receipt)
  }

  private func addRoomsWithEvents(to changes: inout RoomChanges) {
    guard let since, !isFull else { return changes.withEvents = changes.joined }
    changes.withEvents = storage.events.roomsChanged(changes.joined, since: since.room) ?? changes.joined
  }
}
