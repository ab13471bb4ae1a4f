import MatrixEvents
import MatrixPrimitives
import Stores

extension SlidingRoomReader {
  /// Reads the state of rooms that are sent whole, and the names of others that have got a new one.
  func addStates(_ drafts: inout [SlidingRoomDraft], _ choices: [SlidingStateChoice]) async throws {
    var wanted: [Int: StateFilter] = [:]
    for (index, draft) in drafts.enumerated() {
      var filters: [StateFilter] = []
      if draft.needsName { filters.append(.keys([StateKey(EventType.name)])) }
      if draft.isInitial { filters += [.keys([StateKey(EventType.avatar)]), choices[index].filter] }
      if !filters.isEmpty { wanted[index] = .union(filters) }
    }
    let states = try await states(wanted, drafts)
    for (index, state) in states { drafts[index].state = state }
  }

  /// Reads wanted parts of the state of rooms: now for those in which the user is or may come, at the end of the stay for others.
  ///
  /// Cost: one statement for rooms of which single entries are wanted, one for each other kind of wish, and two for each room that the user has left.
  func states(_ wanted: [Int: StateFilter], _ drafts: [SlidingRoomDraft]) async throws -> [Int: StateMap] {
    var result: [Int: StateMap] = [:]
    var groups: [StateFilter: [Int]] = [:]
    var single: [Int] = []
    for (index, filter) in wanted {
      if drafts[index].isOutside {
        guard let event = drafts[index].departure?.eventID,
          let group = try await service.stores.state.stateGroup(of: event)
        else { continue }
        result[index] = try await service.stores.state.stateMap(group: group, filter: filter)
      } else if filter.exactKeys != nil {
        single.append(index)
      } else {
        groups[filter, default: []].append(index)
      }
    }
    if !single.isEmpty { groups[.union(single.compactMap { wanted[$0] }), default: []] += single }
    for (filter, indices) in groups {
      let states = try await service.stores.state.currentState(rooms: indices.map { drafts[$0].id }, filter: filter)
      for index in indices {
        let own = wanted[index]
        result[index] = states[drafts[index].id]?.filter { own?.includes($0.key) ?? false }
      }
    }
    return result
  }

  /// Chooses the state to be sent, and notes the members that the client has then.
  ///
  /// - Returns: what the client has of the state of each room, where that is something else than before.
  func addChoices(
    _ drafts: inout [SlidingRoomDraft], _ choices: [SlidingStateChoice], _ changes: inout SlidingConnectionChanges
  ) async throws -> [SlidingRequiredState?] {
    let returned = try await returnedMembers(drafts, choices)
    var effective: [SlidingRequiredState?] = []
    var added: [Int: StateFilter] = [:]
    for (index, draft) in drafts.enumerated() {
      let (choice, known) = (choices[index], returned[draft.id] ?? [:])
      var members = SlidingConnectionChanges.Members()
      if choice.isLazy { for member in choice.lazy { members.returned[member] = .some(known[member]) } }
      let change = change(draft, choice, known)
      if let change {
        members.invalidated = change.forgotten
        for member in change.remembered where members.returned[member] == nil { members.returned[member] = .some(nil) }
        if change.added != .none { added[index] = change.added }
      }
      changes.members[draft.id] = members
      effective.append(change?.effective)
    }
    let states = try await states(added, drafts)
    for index in drafts.indices {
      let draft = drafts[index]
      let chosen = draft.isInitial ? draft.state : draft.deltas.merging(states[index] ?? [:]) { $1 }
      let wanted = choices[index].filter
      drafts[index].sentState = chosen.filter { wanted.includes($0.key) }.map(\.value)
      let avatar = StateKey(EventType.avatar)
      if draft.isInitial || draft.avatarChanged || wanted.includes(avatar) { drafts[index].avatar = chosen[avatar] }
    }
    return effective
  }

  private func change(
    _ draft: SlidingRoomDraft, _ choice: SlidingStateChoice, _ known: [Text: Int64]
  ) -> SlidingRequiredStateChange? {
    guard !draft.isInitial, !draft.isStripped, let previous = draft.previousConfig else { return nil }
    return SlidingRequiredStateChange(
      user: user.rawValue, from: previous.requiredState, to: draft.config.requiredState, returned: Set(known.keys),
      lazy: choice.lazy, deltas: draft.deltas.keys)
  }

  /// Reads which of the members that matter the client has because they were loaded lazily.
  private func returnedMembers(
    _ drafts: [SlidingRoomDraft], _ choices: [SlidingStateChoice]
  ) async throws -> [RoomID: [Text: Int64]] {
    var wanted: [RoomID: Set<Text>] = [:]
    for (index, draft) in drafts.enumerated() where !draft.isInitial && draft.previousConfig != nil {
      var members = choices[index].explicit.union(choices[index].lazy)
      for key in draft.deltas.keys where key.type == EventType.member { members.insert(key.stateKey) }
      if !members.isEmpty { wanted[draft.id] = members }
    }
    guard !wanted.isEmpty else { return [:] }
    return try await service.connections.members(wanted, at: place)
  }
}
