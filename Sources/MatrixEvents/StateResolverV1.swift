import Crypto
import MatrixPrimitives

/// One resolution by room version 1's algorithm.
///
/// The specification leaves open what a slot is checked against while others of the same kind are still disputed. As other servers do,
/// this takes the undisputed state and the kinds that were settled before: power levels, then join rules, then memberships, then the rest.
struct StateResolverV1 {
  private let unconflicted: StateMap
  private let find: (EventID) throws -> Event?
  private var settled: [StateKey: Event] = [:]
  private var found: [EventID: Event?] = [:]

  init(unconflicted: StateMap, find: @escaping (EventID) throws -> Event?) {
    self.unconflicted = unconflicted
    self.find = find
  }

  /// Chooses one event for each disputed slot. Events that are not found do not count.
  mutating func resolve(_ conflicted: [StateKey: Set<EventID>]) throws -> StateMap {
    var result: StateMap = [:]
    var disputed: [StateKey: [Event]] = [:]
    for (key, ids) in conflicted {
      let events = try ids.compactMap { try self.event($0) }
      guard let only = events.first else { continue }
      if events.count == 1 { result[key] = only.eventID } else { disputed[key] = Self.sorted(events) }
    }
    let passes: [(StateKey) -> Bool] = [
      { $0 == .powerLevels }, { $0.type == EventType.joinRules }, { $0.type == EventType.member },
    ]
    for isInPass in passes {
      var chosen: [StateKey: Event] = [:]
      for (key, events) in disputed where isInPass(key) { chosen[key] = try lastAllowed(events, key) }
      settled.merge(chosen) { $1 }
    }
    for (key, events) in disputed where settled[key] == nil {
      result[key] = try highestAllowed(events)?.eventID
    }
    for (key, event) in settled { result[key] = event.eventID }
    return result
  }

  private mutating func event(_ id: EventID) throws -> Event? {
    if let known = found[id] { return known }
    let event = try find(id)
    found[id] = .some(event)
    return event
  }

  /// Sorts by ascending depth, then by descending SHA-1 of the id.
  private static func sorted(_ events: [Event]) -> [Event] {
    let keyed = events.map { event in
      (event: event, hash: Array(Insecure.SHA1.hash(data: Array(event.eventID.rawValue.utf8))))
    }
    return keyed.sorted { a, b in
      a.event.depth != b.event.depth ? a.event.depth < b.event.depth : b.hash.lexicographicallyPrecedes(a.hash)
    }.map(\.event)
  }

  /// Starts with the first event and moves on as long as the next is allowed with the one before in its slot.
  private mutating func lastAllowed(_ events: [Event], _ key: StateKey) throws -> Event? {
    guard var last = events.first else { return nil }
    for event in events.dropFirst() {
      guard try isAllowed(event, adding: last) else { break }
      last = event
    }
    return last
  }

  /// Takes the last event that is allowed; if none is, the first.
  private mutating func highestAllowed(_ events: [Event]) throws -> Event? {
    for event in events.reversed() where try isAllowed(event, adding: nil) { return event }
    return events.first
  }

  private mutating func isAllowed(_ event: Event, adding own: Event?) throws -> Bool {
    var state = AuthEvents([:])
    for key in AuthRules.stateKeysToCheck(event) {
      if let chosen = settled[key] {
        state.insert(chosen)
      } else if let id = unconflicted[key], let agreed = try self.event(id) {
        state.insert(agreed)
      }
    }
    if let own { state.insert(own) }
    do {
      try AuthRules.check(event, state: state)
      return true
    } catch {
      return false
    }
  }
}
