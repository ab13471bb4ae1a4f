import MatrixEvents
import MatrixPrimitives
import Stores

/// The change that a batch makes to the edge of a room's graph and to the current state.
struct RoomGraph: Sendable {
  let roomID: RoomID
  let events: [PersistableEvent]
  let surroundings: PersistBatch.Surroundings

  private var stores: RoomStores { surroundings.stores }

  func change() async throws -> RoomChange {
    let oldDepths = try await stores.rooms.forwardExtremities(roomID)
    let old = Set(oldDepths.keys)
    let accepted = events.filter(\.isAccepted)
    var change = RoomChange()
    change.isPlain = isPlain(old: old)
    let oldGroups = try await stores.state.stateGroups(of: Array(old))
    change.keptGroups = Set(oldGroups.values)
    guard !accepted.isEmpty else { return change }

    let new = try await extremities(old: old, accepted: accepted, isPlain: change.isPlain)
    guard new != old else { return change }
    guard !new.isEmpty else { throw StoreError("no forward extremities are left in \(roomID.rawValue)") }
    let depths = oldDepths.merging(accepted.map { ($0.event.eventID, $0.event.depth) }) { $1 }
    change.extremities = depths.filter { new.contains($0.key) }
    if !isChain(old: old, new: new, accepted: accepted) {
      change.state = try await stateChange(oldGroups: oldGroups, new: new)
    }
    return change
  }

  /// Returns whether all events are our own and follow the edge of the room or each other.
  private func isPlain(old: Set<EventID>) -> Bool {
    var edge = old
    for item in events {
      guard item.isAccepted, item.event.sender.serverName == stores.config.serverName,
        item.event.prevEvents.allSatisfy({ edge.contains($0) })
      else { return false }
      edge.insert(item.event.eventID)
    }
    return true
  }

  /// Returns whether the batch merely prolongs the single end of the graph by events that are not state.
  private func isChain(old: Set<EventID>, new: Set<EventID>, accepted: [PersistableEvent]) -> Bool {
    old.count == 1 && new.count == 1
      && accepted.allSatisfy { !$0.event.isState && $0.event.prevEvents.count == 1 }
  }

  // MARK: extremities

  private func extremities(
    old: Set<EventID>, accepted: [PersistableEvent], isPlain: Bool
  ) async throws -> Set<EventID> {
    let prevs = Set(accepted.flatMap(\.event.prevEvents))
    let new = old.union(accepted.map(\.event.eventID)).subtracting(prevs)
    if isPlain { return new }
    async let followed = stores.events.followed(new)
    async let hidden = stores.events.behindRefused(prevs)
    return new.subtracting(try await followed).subtracting(try await hidden)
  }

  // MARK: current state

  private func stateChange(
    oldGroups: [EventID: Int64], new: Set<EventID>
  ) async throws -> CurrentStateChange? {
    var groups: Set<Int64> = []
    var contexts: [EventID: EventContext] = [:]
    for item in events { contexts[item.event.eventID] = item.context }
    let older = try await stores.state.stateGroups(of: new.filter { contexts[$0]?.stateGroup == nil })
    for id in new {
      guard let group = contexts[id]?.stateGroup ?? older[id] else {
        throw StoreError("the state after \(id.rawValue) is not known")
      }
      groups.insert(group)
    }
    let before = Set(oldGroups.values)
    if before == groups { return nil }
    var change: CurrentStateChange
    if let delta = knownDelta(from: before, to: groups) {
      change = CurrentStateChange(inserted: delta, removed: [])
    } else {
      change = try await comparedChange(groups, tag: new)
    }
    guard !change.inserted.isEmpty || !change.removed.isEmpty else { return nil }
    try await noteDeparture(&change)
    return change
  }

  /// Joins the steps that the events' contexts describe, when they lead from the old group to the new one.
  private func knownDelta(from old: Set<Int64>, to new: Set<Int64>) -> StateMap? {
    guard let last = new.first, new.count == 1, old.count <= 1 else { return nil }
    var steps: [Int64: StateGroupDelta] = [:]
    for item in events { for step in item.context.stateGroupDeltas { steps[step.to] = step } }
    // A new room starts from nothing: the empty group that its creation event follows.
    let start = old.first ?? events.first.flatMap { $0.event.isCreate ? $0.context.stateGroupBeforeEvent : nil }
    guard let start else { return nil }
    var delta: StateMap = [:]
    var group = last
    for _ in 0...events.count where group != start {
      guard let step = steps[group] else { return nil }
      delta.merge(step.changes) { later, _ in later }
      group = step.from
    }
    return group == start ? delta : nil
  }

  /// Compares the state of the new groups, resolved if there are several, with the current state.
  private func comparedChange(_ groups: Set<Int64>, tag: Set<EventID>) async throws -> CurrentStateChange {
    guard let first = events.first else { return CurrentStateChange(inserted: [:], removed: []) }
    let fresh = events.flatMap(\.context.newGroups)
    try await stores.state.hold(fresh)
    let resolved: StateSnapshot
    if let only = groups.first, groups.count == 1 {
      resolved = try await stores.state.snapshot(group: only)
    } else {
      var states: [StateSnapshot] = []
      for group in groups.sorted() { states.append(try await stores.state.snapshot(group: group)) }
      let extra = Dictionary(events.map { ($0.event.eventID, $0.event) }) { first, _ in first }
      resolved = StateSnapshot(
        try await surroundings.state.resolver.resolve(version: first.event.version, states: states, extra: extra))
    }
    let change = resolved.changes(since: try await stores.state.currentSnapshot(roomID))
    return CurrentStateChange(inserted: change.inserted, removed: change.removed)
  }

  /// Finds out whether the last user of this server leaves the room.
  private func noteDeparture(_ change: inout CurrentStateChange) async throws {
    let server = stores.config.serverName
    func isLocalMember(_ key: StateKey) -> Bool {
      key.type == EventType.member && UserID(unchecked: key.stateKey).serverName == server
    }
    let touched = Set(change.keys.filter(isLocalMember).map { UserID(unchecked: $0.stateKey) })
    guard !touched.isEmpty else { return }
    let memberships = try await memberships(of: change.inserted.filter { isLocalMember($0.key) })
    if memberships.contains("join") { return }
    let members = try await stores.memberships.members(roomID)
    let joined = members.users(.join)
    if joined.contains(where: { $0.serverName == server && !touched.contains($0) }) { return }
    change.leavesRoom = true
    change.formerMembers = joined
  }

  private func memberships(of map: StateMap) async throws -> Set<Text> {
    var found: Set<Text> = []
    var missing: [EventID] = []
    let batch = Dictionary(events.map { ($0.event.eventID, $0.event) }) { first, _ in first }
    for id in map.values {
      if let event = batch[id] { found.insert(event.membership ?? "") } else { missing.append(id) }
    }
    for event in try await stores.events.orderedEvents(missing) { found.insert(event.event.membership ?? "") }
    return found
  }
}
