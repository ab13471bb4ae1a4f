import MatrixPrimitives

/// Walks the graph of auth events held in memory; for callers that have the edges at hand, such as during persistence.
public struct AuthGraph {
  private let edges: (EventID) throws -> [EventID]
  private var known: [EventID: [EventID]] = [:]

  /// Wraps a source of edges.
  /// - Parameter edges: gives the auth events of an event, the implied create event included; it is asked once for each event.
  public init(edges: @escaping (EventID) throws -> [EventID]) {
    self.edges = edges
  }

  private mutating func cited(_ id: EventID) throws -> [EventID] {
    if let known = known[id] { return known }
    let ids = try edges(id)
    known[id] = ids
    return ids
  }

  /// Collects all events that can be reached from some events, those themselves left out unless reached.
  public mutating func authChain(of ids: some Sequence<EventID>) throws -> Set<EventID> {
    var chain: Set<EventID> = []
    var pending = Array(ids)
    while let id = pending.popLast() {
      for next in try cited(id) where chain.insert(next).inserted { pending.append(next) }
    }
    return chain
  }

  /// Computes the events that are in the full auth chains (the states' own events included) of some but not all states.
  ///
  /// Events that all states share are in every chain, so walking stops there.
  public mutating func authChainDifference(of stateSets: [StateMap]) throws -> Set<EventID> {
    let sets = stateSets.map { Set($0.values) }
    guard let first = sets.first else { return [] }
    let shared = sets.dropFirst().reduce(first) { $0.intersection($1) }
    let common = try authChain(of: shared).union(shared)
    var counts: [EventID: Int] = [:]
    for set in sets {
      var reached = set.subtracting(common)
      var pending = Array(reached)
      while let id = pending.popLast() {
        for next in try cited(id) where !common.contains(next) && reached.insert(next).inserted { pending.append(next) }
      }
      for id in reached { counts[id, default: 0] += 1 }
    }
    return Set(counts.filter { $0.value < sets.count }.keys)
  }

  /// Computes the events on auth paths from one conflicted event to another, the conflicted events included.
  public mutating func conflictedSubgraph(of conflicted: Set<EventID>) throws -> Set<EventID> {
    let backwards = try authChain(of: conflicted).union(conflicted)
    var citing: [EventID: [EventID]] = [:]
    for id in backwards {
      for next in try cited(id) { citing[next, default: []].append(id) }
    }
    // All in `backwards` descends from a conflicted event; what also has one among its ancestors lies between two.
    var between = conflicted
    var pending = Array(conflicted)
    while let id = pending.popLast() {
      for next in citing[id] ?? [] where between.insert(next).inserted { pending.append(next) }
    }
    return between
  }
}
