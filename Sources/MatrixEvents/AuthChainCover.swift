import MatrixPrimitives

/// The auth chain differences and conflicted subgraphs of events of which most are in a chain cover and some are not.
///
/// Events without a place (not stored yet, or stored before the room's cover was complete) are walked by their auth events until events
/// with a place are met. No event with a place rests on one without.
public struct AuthChainCover: Sendable {
  /// The outcome: events by name, and runs of covered events that the caller looks up.
  public struct Selection: Sendable, Equatable {
    /// The events without a place.
    public var events: Set<EventID> = []
    /// The runs of events with a place; they do not overlap.
    public var ranges: Set<ChainRange> = []
  }

  private let places: [EventID: ChainPlace]
  private let walked: [EventID: [EventID]]
  private let index: ChainCoverIndex

  /// Collects what is known.
  /// - Parameters:
  ///   - places: the places of the events asked about, and of those on which events without a place rest.
  ///   - walked: the auth events, implied create event included, of every event without a place that can be reached.
  ///   - index: the links that can be reached from `places`.
  public init(places: [EventID: ChainPlace], walked: [EventID: [EventID]], index: ChainCoverIndex) {
    self.places = places
    self.walked = walked
    self.index = index
  }

  /// Finds the events in some but not all of the full auth chains (the sets' own events included) of sets of events.
  /// - Parameter sets: the events of each state; what all of them share may be left out if it is given as `shared`.
  /// - Parameter shared: places that belong to every set.
  public func difference(of sets: [[EventID]], shared: [ChainPlace] = []) -> Selection {
    let chains = sets.map { reach(from: $0) }
    let common = index.reach(from: shared)
    var selection = Selection()
    guard let first = chains.first else { return selection }
    let walkedByAll = chains.dropFirst().reduce(first.walked) { $0.intersection($1.walked) }
    for chain in chains { selection.events.formUnion(chain.walked.subtracting(walkedByAll)) }
    for chain in Set(chains.flatMap(\.covered.keys)) {
      let numbers = chains.map { max($0.covered[chain] ?? 0, common[chain] ?? 0) }
      if let lowest = numbers.min(), let highest = numbers.max(), lowest < highest {
        selection.ranges.insert(ChainRange(chain: chain, numbers: (lowest + 1)...highest))
      }
    }
    return selection
  }

  /// Finds the events that lie on auth paths from one conflicted event to another, the conflicted events included.
  public func subgraph(of conflicted: Set<EventID>) -> Selection {
    let below = reach(from: conflicted)
    let above = index.dependents(of: conflicted.compactMap { places[$0] })
    var selection = Selection()
    for (chain, highest) in below.covered {
      if let lowest = above[chain], lowest <= highest {
        selection.ranges.insert(ChainRange(chain: chain, numbers: lowest...highest))
      }
    }
    selection.events = walkedDependents(of: conflicted, among: below.walked, above: above)
    return selection
  }

  /// Of events without a place, finds those that are conflicted or rest on a conflicted event.
  private func walkedDependents(
    of conflicted: Set<EventID>, among candidates: Set<EventID>, above: [Int64: Int64]
  ) -> Set<EventID> {
    var citing: [EventID: [EventID]] = [:]
    var found: Set<EventID> = []
    for id in candidates {
      var isDependent = conflicted.contains(id)
      for cited in walked[id] ?? [] {
        if let place = places[cited] {
          isDependent = isDependent || above[place.chain].map { place.number >= $0 } ?? false
        } else {
          citing[cited, default: []].append(id)
        }
      }
      if isDependent { found.insert(id) }
    }
    var pending = Array(found)
    while let id = pending.popLast() {
      for next in citing[id] ?? [] where found.insert(next).inserted { pending.append(next) }
    }
    return found
  }

  /// Follows the auth chains of events: by walking where there is no place, by the index from there on.
  private func reach(from events: some Sequence<EventID>) -> (walked: Set<EventID>, covered: [Int64: Int64]) {
    var seen: Set<EventID> = []
    var entries: [ChainPlace] = []
    var pending = Array(events)
    while let id = pending.popLast() {
      if let place = places[id] {
        entries.append(place)
      } else if seen.insert(id).inserted {
        pending.append(contentsOf: walked[id] ?? [])
      }
    }
    return (seen, index.reach(from: entries))
  }
}
