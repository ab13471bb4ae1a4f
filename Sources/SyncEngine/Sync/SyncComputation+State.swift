import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension SyncComputation {
  /// Whether the state section leads to the state after the timeline.
  private var isStateAfter: Bool { request.stateForm.isAfter }

  /// Works out the state section of rooms: what a client must lay over the state it has to get the state before the timeline, or after it when
  /// it asked for that.
  ///
  /// Known rooms get the changes of the current state in the span that the timeline does not show. New rooms get the current
  /// state, turned back by what the timeline shows; rooms the user left, the state at that point.
  func fillStates(_ drafts: inout [RoomDraft], _ now: StreamToken) async throws {
    let deltas = try await stateDeltas(drafts)
    let changes = drafts.map { draft in
      draft.isFull || !draft.isVisible ? [:] : changedState(draft, deltas[draft.id] ?? [])
    }
    let members = drafts.map(membersOfInterest)
    let requests = drafts.indices.compactMap { stateRequest(drafts[$0], members[$0], changes[$0]) }
    let states = try await readers.states.states(requests)
    for index in drafts.indices {
      if drafts[index].hasWholeState(filter) {
        try await fillWholeState(&drafts[index])
        continue
      }
      var chosen = changes[index]
      let end = states[drafts[index].id] ?? [:]
      for (key, id) in isStateAfter ? end : drafts[index].timeline.stateBefore(end) { chosen[key] = id }
      if isStateAfter, let farewell = drafts[index].farewell {
        chosen[StateKey(EventType.member, user.rawValue)] = farewell
      }
      drafts[index].stateIDs = lazily(drafts[index], chosen, Set(changes[index].keys), now)
    }
  }

  /// Returns the changed state that the section of a room that the client knows has to show.
  private func changedState(_ draft: RoomDraft, _ deltas: [StateDelta]) -> StateMap {
    guard isStateAfter else { return draft.timeline.unshownChanges(deltas) }
    // The removal of an entry cannot be expressed to clients.
    return deltas.reduce(into: [:]) { state, delta in if let id = delta.eventID { state[delta.key] = id } }
  }

  /// Takes the whole current state, turned back where the timeline shows changes of it unless the state after it is wanted.
  private func fillWholeState(_ draft: inout RoomDraft) async throws {
    let state = try await readers.states.wholeState(of: draft.id)
    let shown = isStateAfter ? [] : Set(draft.timeline.entries.compactMap { $0.event.event.key })
    guard !shown.isEmpty else {
      draft.stateEntries = state.entries
      return
    }
    var end: StateMap = [:]
    for entry in state.entries {
      if let key = entry.event.event.key, shown.contains(key) {
        end[key] = entry.event.eventID
      } else {
        draft.stateEntries.append(entry)
      }
    }
    draft.stateIDs = Array(draft.timeline.stateBefore(end).values)
  }

  private func stateDeltas(_ drafts: [RoomDraft]) async throws -> [RoomID: [StateDelta]] {
    guard let since else { return [:] }
    let known = drafts.filter { !$0.isFull && $0.isVisible }
    return try await readers.states.changes(
      in: known.map { RoomStretch(room: $0.id, after: since.room, upTo: $0.end) })
  }

  /// Returns the users whose memberships a lazily loading client needs.
  private func membersOfInterest(_ draft: RoomDraft) -> Set<Text> {
    guard filter.lazyLoadMembers else { return [] }
    var members =
      isStateAfter ? Set(draft.timeline.entries.map(\.event.sender.rawValue)) : draft.timeline.senders
    if draft.isFull { members.insert(user.rawValue) }
    return members
  }

  /// Returns what has to be read of a room's state beside its changes: all of it for a room that is new to the client, else the memberships
  /// of those who speak. Nil for nothing.
  private func stateRequest(
    _ draft: RoomDraft, _ members: Set<Text>, _ changes: StateMap
  ) -> RoomStateReader.Request? {
    guard draft.isVisible, !draft.hasWholeState(filter) else { return nil }
    if draft.isFull {
      let wanted: StateFilter =
        filter.lazyLoadMembers ? .lazyMembers(members.map { UserID(unchecked: $0) }) : .all
      return RoomStateReader.Request(room: draft.id, event: draft.departure, filter: wanted)
    }
    let missing = members.map { StateKey(EventType.member, $0) }.filter { changes[$0] == nil }
    guard !missing.isEmpty else { return nil }
    return RoomStateReader.Request(room: draft.id, event: draft.departure, filter: .keys(missing))
  }

  // MARK: Lazy loading

  /// Leaves out the members that the device has been sent, and remembers those it is sent now.
  private func lazily(
    _ draft: RoomDraft, _ chosen: StateMap, _ changed: Set<StateKey>, _ now: StreamToken
  ) -> [EventID] {
    guard filter.lazyLoadMembers, !filter.state.includeRedundantMembers else { return Array(chosen.values) }
    let inTimeline = isStateAfter ? [] : draft.timeline.members
    return service.lazyMembers.with(user, request.requester.deviceID) { cache in
      let sent = chosen.filter { key, id in
        key.type != EventType.member || changed.contains(key)
          || !cache.wasSent(draft.id, key.stateKey, id.rawValue)
      }
      for (key, id) in sent where key.type == EventType.member {
        cache.markSent(draft.id, key.stateKey, id.rawValue, at: now.room.position)
      }
      for (user, id) in inTimeline { cache.markSent(draft.id, user, id.rawValue, at: now.room.position) }
      return Array(sent.values)
    }
  }
}

extension RoomDraft {
  /// Whether the user sees more of the room than that they are not in it.
  fileprivate var isVisible: Bool { isJoined || departure != nil }

  /// Returns whether the state section is the whole current state, which is kept in memory.
  fileprivate func hasWholeState(_ filter: SyncFilter) -> Bool { isFull && isJoined && !filter.lazyLoadMembers }
}
