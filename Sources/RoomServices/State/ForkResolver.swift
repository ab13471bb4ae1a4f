import MatrixEvents
import MatrixPrimitives
import Stores

/// Resolves the states of several branches of a room into one, fetching what the algorithm needs from the database.
struct ForkResolver: Sendable {
  let storage: Storage

  /// Resolves states; `extra` holds events that are not in the database yet.
  ///
  /// - Throws: database errors.
  func resolve(
    version: RoomVersion, states: [StateSnapshot], extra: [EventID: Event] = [:]
  ) async throws -> StateMap {
    let sets = states.map(\.map)
    let (unconflicted, conflicted) = StateResolution.separate(sets, version: version)
    if conflicted.isEmpty { return unconflicted }
    let disputed = conflicted.values.reduce(into: Set<EventID>()) { $0.formUnion($1) }
    var graph = try await storage.authChains.graph(from: disputed)
    for (id, event) in extra where graph[id] == nil { graph[id] = event.authEventsWithCreate }
    let difference = try await difference(sets, conflicted: conflicted, unconflicted: unconflicted, graph: graph)
    let subgraph = version.stateResolution == .v2Dot1 ? Self.subgraph(of: disputed, graph: graph) : nil

    var wanted = disputed.union(difference).union(subgraph ?? [])
    for id in wanted { wanted.formUnion(graph[id] ?? []) }
    for type in [EventType.create, EventType.powerLevels, EventType.joinRules] {
      if let id = unconflicted[StateKey(type)] { wanted.insert(id) }
    }
    return try await run(
      version: version, sets: sets, difference: difference, subgraph: subgraph, wanted: wanted, graph: graph,
      extra: extra)
  }

  // MARK: sets of events

  /// Finds the events that are in the auth chain of some states but not of all.
  private func difference(
    _ sets: [StateMap], conflicted: [StateKey: Set<EventID>], unconflicted: StateMap, graph: [EventID: [EventID]]
  ) async throws -> Set<EventID> {
    var union: Set<EventID> = []
    var intersection: Set<EventID>?
    for set in sets {
      let chain = Self.closure(of: conflicted.keys.compactMap { set[$0] }, graph: graph)
      union.formUnion(chain)
      intersection = intersection?.intersection(chain) ?? chain
    }
    let candidates = union.subtracting(intersection ?? [])
    // What the undisputed part of the state rests on is in the chains of all states.
    let shared = try await storage.authChains.members(of: candidates, inChainOf: Array(unconflicted.values))
    return candidates.subtracting(shared)
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

  /// Lists the events that lie on a path of auth events from one disputed event to another.
  static func subgraph(of disputed: Set<EventID>, graph: [EventID: [EventID]]) -> Set<EventID> {
    var reverse: [EventID: [EventID]] = [:]
    for (event, auth) in graph { for id in auth { reverse[id, default: []].append(event) } }
    let below = closure(of: Array(disputed), graph: graph)
    let above = closure(of: Array(disputed), graph: reverse)
    return below.intersection(above)
  }

  // MARK: running the algorithm

  private struct NeedsEvent: Error { let id: EventID }

  private func run(
    version: RoomVersion, sets: [StateMap], difference: Set<EventID>, subgraph: Set<EventID>?, wanted: Set<EventID>,
    graph: [EventID: [EventID]], extra: [EventID: Event]
  ) async throws -> StateMap {
    var events: [EventID: StoredEvent] = [:]
    var asked: Set<EventID> = []
    var wanted = wanted
    // The algorithm itself knows which further events it wants (the line of power levels, members who acted): it stops at
    // the first unknown one, which is fetched with all that it rests on.
    while true {
      let missing = wanted.filter { !asked.contains($0) && extra[$0] == nil }
      asked.formUnion(missing)
      events.merge(try await storage.events.events(Array(missing), allowRejected: true)) { $1 }
      do {
        return try StateResolution.resolve(
          version: version, stateSets: sets, authChainDifference: difference, conflictedSubgraph: subgraph,
          isRejected: { events[$0]?.isRejected ?? false },
          events: { id in
            if let event = extra[id] ?? events[id]?.event { return event }
            if asked.contains(id) { return nil }
            throw NeedsEvent(id: id)
          })
      } catch let need as NeedsEvent {
        wanted = Self.closure(of: [need.id], graph: graph)
      }
    }
  }
}
