import MatrixEvents
import MatrixPrimitives
import Stores

extension HistoryService {
  /// Reads the room's state as the user may see it: now, at a token, or as it was when the user left.
  ///
  /// - Throws: `MatrixError` 403 when the user may not look into the room or at that point, 404 when nothing precedes the
  ///   token.
  public func state(
    room: RoomID, at token: StreamToken?, filter: StateFilter, requester: Requester
  ) async throws -> [StoredEvent] {
    let map: StateMap
    if let token {
      try await stores.barrier.pass(room: room)
      map = try await stateMap(room: room, at: token, filter: filter, user: requester.userID)
    } else {
      switch try await access.right(of: requester.userID, in: room) {
      case .member, .peeking: map = try await stores.state.currentState(room, filter: filter)
      case .departed(let departure): map = try await state.stateAfter(eventID: departure.eventID, filter: filter)
      }
    }
    return try await stores.events.orderedEvents(Array(map.values))
  }

  /// Reads the membership events of the room as the user may see them, as ``state(room:at:filter:requester:)``; those of now come from memory
  /// when they have been asked for before.
  public func members(room: RoomID, at token: StreamToken?, requester: Requester) async throws -> [StoredEvent] {
    if token == nil {
      switch try await access.right(of: requester.userID, in: room) {
      case .member, .peeking:
        return try await stores.state.currentEvents(room, stores.events).members.map(\.event)
      case .departed: break
      }
    }
    return try await state(room: room, at: token, filter: .members, requester: requester)
  }

  private func stateMap(room: RoomID, at token: StreamToken, filter: StateFilter, user: UserID) async throws -> StateMap
  {
    guard let last = try await stores.events.lastEvent(roomID: room, upTo: token.room) else {
      throw MatrixError.notFound("Can't find event for token")
    }
    guard try await maySeeState(at: last.eventID, room: room, user: user) else {
      throw MatrixError.forbidden("User \(user.rawValue) not allowed to view events in room \(room.rawValue) at token")
    }
    return try await state.stateAfter(eventID: last.eventID, filter: filter)
  }

  /// Returns whether a user may see the state after an event: who was joined then or left by it, who is joined now if
  /// members see all history, and who has been joined at some time if they see what came after their invitation;
  /// everybody where everybody may read.
  func maySeeState(at eventID: EventID, room: RoomID, user: UserID) async throws -> Bool {
    let memberKey = StateKey("m.room.member", user.rawValue)
    let visibilityKey = StateKey("m.room.history_visibility")
    let map = try await state.stateAfter(eventID: eventID, filter: .keys([memberKey, visibilityKey]))
    let events = try await stores.events.events(Array(map.values))
    let membership = map[memberKey].flatMap { events[$0]?.event.membership }
    let visibility = map[visibilityKey].flatMap { events[$0]?.content["history_visibility"]?.string } ?? "shared"
    if membership == "join" || visibility == "world_readable" { return true }
    let isJoined = try await stores.memberships.isJoined(user, in: room)
    let departure = isJoined ? nil : try await stores.memberships.departure(of: user, from: room)
    if departure?.eventID == eventID { return true }
    switch (membership, visibility) {
    case ("invite", "invited"): return isJoined || departure != nil
    case (_, "joined"), (_, "invited"): return false
    default: return isJoined
    }
  }

  /// Reads one state event.
  ///
  /// - Throws: `MatrixError` 404 when the room has no such state, 403 when the user may not look into the room.
  public func stateEvent(room: RoomID, key: StateKey, requester: Requester) async throws -> StoredEvent {
    let event: StoredEvent?
    switch try await access.right(of: requester.userID, in: room) {
    case .member, .peeking:
      event = try await stores.currentStateEvent(room, key)
    case .departed(let departure):
      let map = try await state.stateAfter(eventID: departure.eventID, filter: .keys([key]))
      if let id = map[key] { event = try await stores.events.event(id) } else { event = nil }
    }
    guard let event else { throw MatrixError.notFound("Event not found.") }
    return event
  }

  /// Reads the joined members with their profiles in the room.
  ///
  /// - Throws: `MatrixError` 403 when the user is not joined and the room is not world readable.
  public func joinedMembers(
    room: RoomID, requester: Requester
  ) async throws -> [(userID: UserID, displayName: Text?, avatarURL: Text?)] {
    if requester.appserviceID == nil, case .departed = try await access.right(of: requester.userID, in: room) {
      throw MatrixError.forbidden(
        "Getting joined members while not being a current member of the room is forbidden.")
    }
    return try await stores.memberships.joinedProfiles(room)
  }
}
