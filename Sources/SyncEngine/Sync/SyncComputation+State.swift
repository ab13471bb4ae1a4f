import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension SyncComputation {
  /// Works out the state section of rooms: what a client must lay over the state it has to get the state before the timeline.
  ///
  /// Known rooms get the changes of the current state in the span that the timeline does not show. New rooms get the current
  /// state, turned back by what the timeline shows; rooms the user left, the state at that point.
  func fillStates(_ drafts: inout [RoomDraft], _ now: StreamToken) async throws {
    let deltas = try await stateDeltas(drafts, now)
    let full = drafts.filter { $0.isFull && $0.isJoined && filter.lazyLoadMembers }
    let members = lazyMembersOfInterest(drafts)
    let current = try await storage.state.currentState(rooms: full.map(\.id), filter: fullFilter(members, full))
    for index in drafts.indices {
      let draft = drafts[index]
      if draft.isFull, draft.isJoined, !filter.lazyLoadMembers {
        try await fillWholeState(&drafts[index])
        continue
      }
      let wanted = members[draft.id] ?? []
      var chosen: [StateKey: EventID]
      var changed: Set<StateKey> = []
      if draft.isFull {
        let end = draft.isJoined ? current[draft.id] ?? [:] : try await stateAtLeave(draft, leftFilter(wanted))
        chosen = Self.before(draft, end.filter { Self.isWanted($0.key, wanted, isLazy: filter.lazyLoadMembers) })
      } else if draft.isJoined || draft.departure != nil {
        chosen = Self.changes(draft, deltas[draft.id] ?? [])
        changed = Set(chosen.keys)
        try await addSenders(wanted, draft, to: &chosen)
      } else {
        chosen = [:]
      }
      drafts[index].stateIDs = lazily(draft, chosen, changed, now)
    }
  }

  /// Takes the whole current state, turned back where the timeline shows changes of it.
  private func fillWholeState(_ draft: inout RoomDraft) async throws {
    let state = try await storage.state.currentEvents(draft.id, storage.events)
    let shown = Set(draft.shown.compactMap { $0.event.event.key })
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
    draft.stateIDs = Array(Self.before(draft, end).values)
  }

  private func stateDeltas(_ drafts: [RoomDraft], _ now: StreamToken) async throws -> [RoomID: [StateDelta]] {
    guard let since else { return [:] }
    let known = drafts.filter { !$0.isFull }
    guard !known.isEmpty else { return [:] }
    let deltas = try await storage.events.stateDeltas(rooms: known.map(\.id), after: since.room, upTo: now.room)
    let ends = Dictionary(known.map { ($0.id, $0.end) }, uniquingKeysWith: { a, _ in a })
    return Dictionary(
      grouping: deltas.filter { ends[$0.roomID]?.position.covers($0.streamID, instance: $0.instanceName) ?? false },
      by: \.roomID)
  }

  // MARK: Which members

  /// Returns the users whose memberships a lazily loading client needs: the senders of each timeline.
  private func lazyMembersOfInterest(_ drafts: [RoomDraft]) -> [RoomID: Set<Text>] {
    guard filter.lazyLoadMembers else { return [:] }
    var members: [RoomID: Set<Text>] = [:]
    for draft in drafts {
      var (senders, seen) = (Set<Text>(), Set<Text>())
      for shown in draft.shown {
        // A membership event in the timeline tells the client about what its subject sends later.
        if !seen.contains(shown.event.sender.rawValue) { senders.insert(shown.event.sender.rawValue) }
        if shown.event.type == "m.room.member", let key = shown.event.stateKey { seen.insert(key) }
      }
      if draft.isFull { senders.insert(user.rawValue) }
      members[draft.id] = senders
    }
    return members
  }

  private func fullFilter(_ members: [RoomID: Set<Text>], _ full: [RoomDraft]) -> StateFilter {
    guard filter.lazyLoadMembers else { return .all }
    let all = full.reduce(into: Set<Text>()) { $0.formUnion(members[$1.id] ?? []) }
    return .lazyMembers(all.map { UserID(unchecked: $0) })
  }

  private static func isWanted(_ key: StateKey, _ members: Set<Text>, isLazy: Bool) -> Bool {
    !isLazy || key.type != "m.room.member" || members.contains(key.stateKey)
  }

  private func leftFilter(_ members: Set<Text>) -> StateFilter {
    filter.lazyLoadMembers ? .lazyMembers(members.map { UserID(unchecked: $0) }) : .all
  }

  /// Reads the state in which the user left a room; nothing for whoever never was joined.
  private func stateAtLeave(_ draft: RoomDraft, _ filter: StateFilter) async throws -> StateMap {
    guard let leave = draft.departure, let group = try await storage.state.stateGroup(of: leave) else { return [:] }
    return try await storage.state.stateMap(group: group, filter: filter)
  }

  private func addSenders(_ members: Set<Text>, _ draft: RoomDraft, to chosen: inout [StateKey: EventID]) async throws {
    let missing = members.map { StateKey("m.room.member", $0) }.filter { chosen[$0] == nil }
    guard !missing.isEmpty, !draft.shown.isEmpty else { return }
    let state =
      draft.isJoined
      ? try await storage.state.currentState(draft.id, filter: .keys(missing))
      : try await stateAtLeave(draft, .keys(missing))
    for (key, id) in Self.before(draft, state) { chosen[key] = id }
  }

  // MARK: Turning back

  /// Turns a state back by the state events of the timeline: each gives way to what it replaced.
  private static func before(_ draft: RoomDraft, _ end: StateMap) -> [StateKey: EventID] {
    var state = end
    for shown in draft.shown.reversed() {
      guard let key = shown.event.event.key, state[key] != nil else { continue }
      let replaced = shown.event.event.unsigned?["replaces_state"]?.string.map { EventID(unchecked: $0) }
      if state[key] == shown.event.eventID { state[key] = replaced }
    }
    return state
  }

  /// Returns the changed state that the timeline does not show, and what the timeline's own state events replaced when the
  /// client has not seen that either.
  private static func changes(_ draft: RoomDraft, _ deltas: [StateDelta]) -> [StateKey: EventID] {
    let timeline = Set(draft.shown.map(\.event.eventID))
    var chosen: [StateKey: EventID] = [:]
    var known: [StateKey: EventID?] = [:]
    for delta in deltas {
      if known[delta.key] == nil { known[delta.key] = .some(delta.previousEventID) }
      // An entry that was removed cannot be told to clients; they keep what they have.
      guard let id = delta.eventID else { continue }
      chosen[delta.key] = id
    }
    for (key, id) in chosen where timeline.contains(id) {
      let first = draft.shown.first { $0.event.event.key == key }?.event
      let replaced = first?.event.unsigned?["replaces_state"]?.string.map { EventID(unchecked: $0) }
      let seen = known[key].flatMap { $0 }
      chosen[key] = replaced.flatMap { $0 == seen || timeline.contains($0) ? nil : $0 }
    }
    return chosen
  }

  // MARK: Lazy loading

  /// Leaves out the members that the device has been sent, and remembers those it is sent now.
  private func lazily(
    _ draft: RoomDraft, _ chosen: [StateKey: EventID], _ changed: Set<StateKey>, _ now: StreamToken
  ) -> [EventID] {
    guard filter.lazyLoadMembers, !filter.state.includeRedundantMembers else { return Array(chosen.values) }
    let inTimeline = draft.shown.filter { $0.event.type == "m.room.member" }
      .compactMap { shown in shown.event.stateKey.map { ($0, shown.event.eventID) } }
    return service.lazyMembers.with(user, request.requester.deviceID) { cache in
      let sent = chosen.filter { key, id in
        key.type != "m.room.member" || changed.contains(key)
          || !cache.wasSent(draft.id, key.stateKey, id.rawValue)
      }
      for (key, id) in sent where key.type == "m.room.member" {
        cache.markSent(draft.id, key.stateKey, id.rawValue, at: now.room.position)
      }
      for (user, id) in inTimeline { cache.markSent(draft.id, user, id.rawValue, at: now.room.position) }
      return Array(sent.values)
    }
  }
}
