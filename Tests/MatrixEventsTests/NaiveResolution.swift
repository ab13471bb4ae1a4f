import MatrixEvents
import MatrixPrimitives

/// State resolution word by word as the specification says it, without a thought for speed; the yardstick of the real
/// one.
struct NaiveResolution {
  let events: [EventID: Event]
  let version: RoomVersion
  private let chains: [EventID: Set<EventID>]

  init(events: [EventID: Event], version: RoomVersion) {
    self.events = events
    self.version = version
    // Grows every event's chain by its neighbours' chains until nothing changes.
    var chains = events.mapValues { Set($0.authEventsWithCreate) }
    while true {
      let grown = chains.mapValues { chain in chain.reduce(into: chain) { $0.formUnion(chains[$1] ?? []) } }
      if grown == chains { break }
      chains = grown
    }
    self.chains = chains
  }

  func resolve(_ sets: [StateMap]) -> StateMap {
    if version == .v1 { return resolveByDepth(sets) }
    let keys = Set(sets.flatMap(\.keys))
    var unconflicted: StateMap = [:]
    var conflicted: Set<EventID> = []
    for key in keys {
      let values = sets.map { $0[key] }
      if let first = values[0], values.allSatisfy({ $0 == first }) {
        unconflicted[key] = first
      } else {
        conflicted.formUnion(values.compactMap { $0 })
      }
    }
    if conflicted.isEmpty { return unconflicted }
    var full = conflicted.union(authDifference(sets))
    if version == .v12 { full.formUnion(subgraph(conflicted)) }
    var powerEvents = full.filter { isPower($0) }
    for id in powerEvents { powerEvents.formUnion(authChain(id).intersection(full)) }
    let base: StateMap = version == .v12 ? [:] : unconflicted
    let partial = authChecks(base, powerOrder(powerEvents))
    let rest = full.subtracting(powerEvents)
    var result = authChecks(partial, mainlineOrder(rest, from: partial[.powerLevels]))
    for (key, id) in unconflicted { result[key] = id }
    return result
  }

  func authChain(_ id: EventID) -> Set<EventID> { chains[id] ?? [] }

  func authDifference(_ sets: [StateMap]) -> Set<EventID> {
    let chains = sets.map { set in set.values.reduce(into: Set(set.values)) { $0.formUnion(authChain($1)) } }
    let all = chains.reduce(into: Set<EventID>()) { $0.formUnion($1) }
    return all.filter { id in !chains.allSatisfy { $0.contains(id) } }
  }

  func subgraph(_ conflicted: Set<EventID>) -> Set<EventID> {
    let candidates = conflicted.reduce(into: conflicted) { $0.formUnion(authChain($1)) }
    return candidates.filter { id in
      conflicted.contains(id) || !authChain(id).intersection(conflicted).isEmpty
    }
  }

  private func isPower(_ id: EventID) -> Bool {
    guard let event = events[id] else { return false }
    if [EventType.powerLevels, EventType.joinRules, EventType.create].contains(event.type) {
      return event.stateKey == ""
    }
    return event.type == EventType.member && ["leave", "ban"].contains(event.membership ?? "")
      && event.stateKey != event.sender.rawValue
  }

  private func cited(_ event: Event, _ key: StateKey) -> Event? {
    event.authEventsWithCreate.compactMap { events[$0] }.first { $0.key == key }
  }

  private func powerOrder(_ ids: Set<EventID>) -> [EventID] {
    var left = ids
    var order: [EventID] = []
    while !left.isEmpty {
      let ready = left.filter { id in authParents(id).intersection(left).isEmpty }
      let next = ready.compactMap { events[$0] }.min { a, b in
        let levels = (senderLevel(a), senderLevel(b))
        if levels.0 != levels.1 { return levels.0 > levels.1 }
        if a.originServerTS != b.originServerTS { return a.originServerTS < b.originServerTS }
        return a.eventID < b.eventID
      }
      guard let next else { break }
      order.append(next.eventID)
      left.remove(next.eventID)
    }
    return order
  }

  private func authParents(_ id: EventID) -> Set<EventID> { Set(events[id]?.authEventsWithCreate ?? []) }

  private func senderLevel(_ event: Event) -> Int64 {
    let create = event.isCreate ? event : cited(event, .create)
    return PowerLevels(create: create, powerLevels: cited(event, .powerLevels)).level(of: event.sender)
  }

  private func mainlineOrder(_ ids: Set<EventID>, from powerLevels: EventID?) -> [EventID] {
    var mainline: [EventID] = []
    var next = powerLevels.flatMap { events[$0] }
    while let event = next {
      mainline.append(event.eventID)
      next = cited(event, .powerLevels)
    }
    func position(_ event: Event) -> Int {
      var current = cited(event, .powerLevels)
      while let event = current {
        if let index = mainline.firstIndex(of: event.eventID) { return index }
        current = cited(event, .powerLevels)
      }
      return Int.max
    }
    return ids.compactMap { events[$0] }.sorted { a, b in
      let positions = (position(a), position(b))
      if positions.0 != positions.1 { return positions.0 > positions.1 }
      if a.originServerTS != b.originServerTS { return a.originServerTS < b.originServerTS }
      return a.eventID < b.eventID
    }.map(\.eventID)
  }

  private func authChecks(_ base: StateMap, _ order: [EventID]) -> StateMap {
    var state = base
    for event in order.compactMap({ events[$0] }) {
      var used: [StateKey: Event] = [:]
      for id in event.authEventsWithCreate { if let cited = events[id], let key = cited.key { used[key] = cited } }
      for key in AuthRules.stateKeysToCheck(event) {
        if let current = state[key].flatMap({ events[$0] }) { used[key] = current }
      }
      if (try? AuthRules.check(event, state: AuthEvents(used))) != nil, let key = event.key {
        state[key] = event.eventID
      }
    }
    return state
  }
}
