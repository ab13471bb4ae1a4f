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
      : changes.withEvents.union(changes.newlyJoined).union(changes.accountData.entries.keys)
        .union(changes.accountData.tags.keys)
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
    let spans = try await readers.memberships.changes(
      of: user, in: memberships, after: since.room, upTo: now.room, excluding: service.settings.excludedRooms)
    for (room, span) in spans { classify(room, span, to: &changes) }
  }

  /// Sorts a room into one section, that of the user's newest membership.
  private func classify(_ room: RoomID, _ span: MembershipSpan, to changes: inout RoomChanges) {
    if changes.joined.contains(room) {
      if span.wasAway { changes.newlyJoined.insert(room) }
      return
    }
    guard let last = span.last, last.membership != "join" else { return }
    if span.hasJoined || span.wasJoined { changes.newlyLeft.insert(room) }
    switch last.membership {
    case "invite": changes.invites.append(last.eventID)
    case "knock": changes.knocks.append(last.eventID)
    default:
      changes.left.append(
        RoomChanges.Left(room: room, eventID: last.eventID, isNewlyJoined: span.hasJoined && !span.wasJoined))
    }
  }

  /// Finds where the user's view of the rooms ends that they have left.
  private func addDepartures(to changes: inout RoomChanges) async throws {
    let departures = try await readers.memberships.departures(of: user, from: changes.left.map(\.room))
    for index in changes.left.indices { changes.left[index].departure = departures[changes.left[index].room] }
  }

  // MARK: Data

  private func addRoomData(to changes: inout RoomChanges) async throws {
    changes.ignoredUsers = try await readers.accountData.ignoredUsers(of: user)
    let wanted = filter.roomAccountData
    guard !wanted.blocksAllTypes, !wanted.blocksAllSenders, !wanted.blocksAllRooms else { return }
    changes.accountData = try await readers.accountData.ofRooms(
      of: user, after: isFull ? nil : since?.accountData, newRooms: changes.newlyJoined)
  }

  private func addEphemeral(_ now: StreamToken, to changes: inout RoomChanges) async throws {
    guard !filter.ephemeral.blocksAll else { return }
    if filter.ephemeral.passes(type: "m.typing") {
      changes.typing = readers.ephemeral.typing(in: changes.joined, after: since?.typing)
    }
    guard filter.ephemeral.passes(type: "m.receipt") else { return }
    changes.receipts = try await readers.ephemeral.receipts(
      in: changes.joined, after: since?.receipt, upTo: now.receipt)
  }

  private func addRoomsWithEvents(to changes: inout RoomChanges) {
    guard let since, !isFull else { return changes.withEvents = changes.joined }
    changes.withEvents = stores.events.roomsChanged(changes.joined, since: since.room) ?? changes.joined
  }
}
