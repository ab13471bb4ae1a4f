import MatrixEvents
import MatrixPrimitives
import Stores

/// The resolution of the states of several branches of a room into one, with what the algorithm needs from the
/// database.
struct ForkResolver: Sendable {
  let stores: RoomStores

  /// Resolves states; `extra` holds events that are not in the database yet.
  ///
  /// - Throws: database errors.
  func resolve(
    version: RoomVersion, states: [StateSnapshot], extra: [EventID: Event] = [:]
  ) async throws -> StateMap {
    let sets = states.map(\.map)
    let (unconflicted, conflicted) = StateResolution.separate(sets, version: version)
    if conflicted.isEmpty { return unconflicted }
    var replay = Replay(version: version, sets: sets, unconflicted: unconflicted)
    replay.disputed = conflicted.values.reduce(into: []) { $0.formUnion($1) }
    if version.stateResolution != .v1 {
      try await compareChains(of: &replay, conflicted: conflicted, extra: extra)
    }
    return try await run(replay, extra: extra)
  }

  /// Finds what the branches' auth chains disagree about, and for algorithm 2.1 what lies between disputed events.
  private func compareChains(
    of replay: inout Replay, conflicted: [StateKey: Set<EventID>], extra: [EventID: Event]
  ) async throws {
    let fork = try await stores.authChains.fork(
      disputed: replay.disputed, shared: replay.unconflicted.values, extra: extra.mapValues(\.authEventsWithCreate))
    let branches = replay.sets.map { set in conflicted.keys.compactMap { set[$0] } + fork.sharedWithoutPlace }
    replay.difference = try await stores.authChains.events(
      of: fork.cover.difference(of: branches, shared: fork.sharedPlaces))
    if replay.version.stateResolution == .v2Dot1 {
      replay.subgraph = try await stores.authChains.events(of: fork.cover.subgraph(of: replay.disputed))
    }
  }

  /// Lists the events and all that they rest on.
  static func closure(of events: [EventID], graph: [EventID: [EventID]]) -> Set<EventID> {
    var seen: Set<EventID> = []
    var stack = events
    while let id = stack.popLast() {
      guard seen.insert(id).inserted else { continue }
      stack.append(contentsOf: graph[id] ?? [])
    }
    return seen
  }

  // MARK: running the algorithm

  /// One resolution's arguments.
  private struct Replay {
    let version: RoomVersion
    let sets: [StateMap]
    let unconflicted: StateMap
    var disputed: Set<EventID> = []
    var difference: Set<EventID> = []
    var subgraph: Set<EventID>?

    init(version: RoomVersion, sets: [StateMap], unconflicted: StateMap) {
      self.version = version
      self.sets = sets
      self.unconflicted = unconflicted
    }

    /// Lists what checking an event will look at: its auth events and the undisputed state in the slots that matter to it.
    func needs(of event: Event) -> [EventID] {
      event.authEventsWithCreate + AuthRules.stateKeysToCheck(event).compactMap { unconflicted[$0] }
    }
  }

  private struct NeedsEvent: Error { let id: EventID }

  private func run(_ replay: Replay, extra: [EventID: Event]) async throws -> StateMap {
    var events: [EventID: StoredEvent] = [:]
    var asked: Set<EventID> = []
    func fetch(_ wanted: Set<EventID>) async throws {
      let missing = wanted.filter { !asked.contains($0) && extra[$0] == nil }
      asked.formUnion(missing)
      events.merge(try await stores.events.events(Array(missing), allowRejected: true)) { $1 }
    }
    let replayed = replay.disputed.union(replay.difference).union(replay.subgraph ?? [])
    try await fetch(replayed)
    var rested: Set<EventID> = []
    for id in replayed { if let event = extra[id] ?? events[id]?.event { rested.formUnion(replay.needs(of: event)) } }
    try await fetch(rested)
    // The algorithm itself knows which further events it needs (the line of power levels, members who acted): it stops at
    // the first unknown one, which is fetched with all that it rests on.
    while true {
      do {
        return try StateResolution.resolve(
          version: replay.version, stateSets: replay.sets, authChainDifference: replay.difference,
          conflictedSubgraph: replay.subgraph, isRejected: { events[$0]?.isRejected ?? false },
          events: { id in
            if let event = extra[id] ?? events[id]?.event { return event }
            if asked.contains(id) { return nil }
            throw NeedsEvent(id: id)
          })
      } catch let need as NeedsEvent {
        let graph = try await stores.authChains.graph(from: [need.id])
        try await fetch(Self.closure(of: [need.id], graph: graph))
      }
    }
  }
}
