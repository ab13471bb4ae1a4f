import MatrixPrimitives

/// One resolution: conflicted events are sorted and replayed one by one.
struct StateResolver {
  private let find: (EventID) throws -> Event?
  private let isRejected: (EventID) -> Bool
  private var found: [EventID: Event?] = [:]
  /// What events cite; `found` keeps those events.
  private var citations: [ObjectIdentifier: [EventID]] = [:]

  init(find: @escaping (EventID) throws -> Event?, isRejected: @escaping (EventID) -> Bool) {
    self.find = find
    self.isRejected = isRejected
  }

  /// Replays the conflicted events over a base state.
  mutating func resolve(_ conflicted: Set<EventID>, base: StateMap) throws -> StateMap {
    var members: [EventID: Event] = [:]
    for id in conflicted {
      if let event = try event(id) { members[id] = event }
    }
    let powerOrder = try sortByPower(members)
    var state = base
    try replay(powerOrder, onto: &state)
    let sorted = Set(powerOrder.map(\.eventID))
    let rest = members.values.filter { !sorted.contains($0.eventID) }
    try replay(try sortByMainline(rest, powerLevels: state[.powerLevels]), onto: &state)
    return state
  }

  private mutating func event(_ id: EventID) throws -> Event? {
    if let known = found[id] { return known }
    let event = try find(id)
    found[id] = .some(event)
    return event
  }

  /// Returns the auth events of an event, which are read from its JSON once.
  private mutating func cited(by event: Event) -> [EventID] {
    if let known = citations[ObjectIdentifier(event)] { return known }
    let ids = event.authEventsWithCreate
    citations[ObjectIdentifier(event)] = ids
    return ids
  }

  // MARK: Power events

  private static func isPowerEvent(_ event: Event) -> Bool {
    switch event.type {
    case EventType.powerLevels, EventType.joinRules, EventType.create: return event.stateKey == ""
    case EventType.member:
      let membership = event.membership
      return (membership == "leave" || membership == "ban")
        && (event.stateKey ?? "") != event.sender.rawValue
    default: return false
    }
  }

  /// Sorts the power events and what of their auth chains is conflicted, by reverse topological power ordering.
  private mutating func sortByPower(_ members: [EventID: Event]) throws -> [Event] {
    var parents: [EventID: [EventID]] = [:]
    var pending = members.values.filter(Self.isPowerEvent)
    for event in pending { parents[event.eventID] = [] }
    while let event = pending.popLast() {
      let cited = Set(cited(by: event)).filter { members[$0] != nil }
      parents[event.eventID] = Array(cited)
      for id in cited where parents[id] == nil {
        parents[id] = []
        if let next = members[id] { pending.append(next) }
      }
    }
    var keyed: [EventID: PowerOrder] = [:]
    for id in parents.keys {
      if let event = members[id] { keyed[id] = PowerOrder(event: event, level: try senderLevel(event)) }
    }
    return Self.topologicalOrder(parents: parents, keyed: keyed)
  }

  /// Kahn's algorithm, always taking the smallest of the events whose auth events are all placed.
  private static func topologicalOrder(
    parents: [EventID: [EventID]], keyed: [EventID: PowerOrder]
  ) -> [Event] {
    var children: [EventID: [EventID]] = [:]
    var missing: [EventID: Int] = [:]
    var ready = MinimumHeap<PowerOrder>()
    for (id, cited) in parents {
      missing[id] = cited.count
      for parent in cited { children[parent, default: []].append(id) }
      if cited.isEmpty, let order = keyed[id] { ready.insert(order) }
    }
    var sorted: [Event] = []
    sorted.reserveCapacity(parents.count)
    while let next = ready.popMinimum() {
      sorted.append(next.event)
      for child in children[next.event.eventID] ?? [] {
        let left = (missing[child] ?? 0) - 1
        missing[child] = left
        if left == 0, let order = keyed[child] { ready.insert(order) }
      }
    }
    return sorted
  }

  /// Finds the sender's power by the event's own auth events.
  private mutating func senderLevel(_ event: Event) throws -> Int64 {
    var create: Event?
    var powerLevels: Event?
    for id in cited(by: event) {
      guard let cited = try self.event(id) else { continue }
      if cited.type == EventType.powerLevels, cited.stateKey == "" { powerLevels = cited }
      if cited.isCreate { create = cited }
    }
    if event.isCreate { create = event }
    return PowerLevels(create: create, powerLevels: powerLevels).level(of: event.sender)
  }

  // MARK: Other events

  /// Sorts events by the power levels event their auth events lead to, counted from the resolved one back.
  private mutating func sortByMainline(_ events: [Event], powerLevels: EventID?) throws -> [Event] {
    guard !events.isEmpty else { return [] }
    var mainline: [EventID] = []
    var onMainline: Set<EventID> = []
    var next = powerLevels
    while let id = next, onMainline.insert(id).inserted {
      mainline.append(id)
      next = try event(id).flatMap { try self.citedPowerLevels($0)?.eventID }
    }
    // The oldest gets 1; what leads to none of them comes first with 0.
    var position: [EventID: Int] = [:]
    for (index, id) in mainline.reversed().enumerated() { position[id] = index + 1 }
    var ordered: [MainlineOrder] = []
    for event in events {
      ordered.append(MainlineOrder(event: event, position: try mainlinePosition(of: event, in: &position)))
    }
    return ordered.sorted().map(\.event)
  }

  /// Finds where an event hooks into the mainline, and notes the answer for every power levels event passed on the way.
  private mutating func mainlinePosition(of event: Event, in position: inout [EventID: Int]) throws -> Int {
    var passed: [EventID] = []
    var seen: Set<EventID> = []
    var current: Event? = event
    var result = 0
    while let event = current, seen.insert(event.eventID).inserted {
      if let known = position[event.eventID] {
        result = known
        break
      }
      passed.append(event.eventID)
      current = try citedPowerLevels(event)
    }
    for id in passed { position[id] = result }
    return result
  }

  private mutating func citedPowerLevels(_ event: Event) throws -> Event? {
    for id in cited(by: event) {
      if let cited = try self.event(id), cited.type == EventType.powerLevels, cited.stateKey == "" { return cited }
    }
    return nil
  }

  // MARK: Replay

  /// Applies each event that the auth rules allow against the state so far, filled up from its own auth events.
  private mutating func replay(_ events: [Event], onto state: inout StateMap) throws {
    for event in events {
      guard let key = event.key, !isRejected(event.eventID) else { continue }
      var authEvents = AuthEvents([:])
      for id in cited(by: event) where !isRejected(id) {
        if let cited = try self.event(id) { authEvents.insert(cited) }
      }
      for needed in AuthRules.stateKeysToCheck(event) {
        if let id = state[needed], !isRejected(id), let current = try self.event(id) { authEvents.insert(current) }
      }
      do {
        try AuthRules.check(event, state: authEvents)
      } catch {
        continue
      }
      state[key] = event.eventID
    }
  }
}

/// The order by the sender's power downwards, then time, then id.
private struct PowerOrder: Comparable {
  let event: Event
  let level: Int64

  static func == (a: PowerOrder, b: PowerOrder) -> Bool { a.event.eventID == b.event.eventID }

  static func < (a: PowerOrder, b: PowerOrder) -> Bool {
    if a.level != b.level { return a.level > b.level }
    if a.event.originServerTS != b.event.originServerTS { return a.event.originServerTS < b.event.originServerTS }
    return a.event.eventID < b.event.eventID
  }
}

/// The order by place on the mainline, oldest first, then time, then id.
private struct MainlineOrder: Comparable {
  let event: Event
  let position: Int

  static func == (a: MainlineOrder, b: MainlineOrder) -> Bool { a.event.eventID == b.event.eventID }

  static func < (a: MainlineOrder, b: MainlineOrder) -> Bool {
    if a.position != b.position { return a.position < b.position }
    if a.event.originServerTS != b.event.originServerTS { return a.event.originServerTS < b.event.originServerTS }
    return a.event.eventID < b.event.eventID
  }
}
