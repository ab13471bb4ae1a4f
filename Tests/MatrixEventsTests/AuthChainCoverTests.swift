import MatrixEvents
import MatrixPrimitives
import SeededNumbers
import Testing

@Suite struct AuthChainCoverTests {
  /// A random graph of auth events, of which the older part has places in a cover that is made as badly as allowed.
  private struct Room {
    var edges: [EventID: [EventID]] = [:]
    var ids: [EventID] = []
    var places: [EventID: ChainPlace] = [:]
    var links: [(origin: ChainPlace, target: ChainPlace)] = []
    private var lengths: [Int64: Int64] = [:]

    init(events: Int, covered: Int, _ random: inout SeededRandom) {
      for index in 0..<events {
        let id = EventID(unchecked: "$\(index)")
        let recent = ids.suffix(Int.random(in: 1...20, using: &random))
        let cited = Set(
          (0..<Int.random(in: 0...3, using: &random)).compactMap { _ in recent.randomElement(using: &random) })
        edges[id] = cited.sorted()
        ids.append(id)
        if index < covered { place(id, cited.sorted(), &random) }
      }
    }

    private mutating func place(_ id: EventID, _ cited: [EventID], _ random: inout SeededRandom) {
      let ends = cited.compactMap { places[$0] }.filter { lengths[$0.chain] == $0.number }
      var place = ChainPlace(chain: Int64(lengths.count + 1), number: 1)
      if let end = ends.randomElement(using: &random), Int.random(in: 0..<4, using: &random) > 0 {
        place = ChainPlace(chain: end.chain, number: end.number + 1)
      }
      places[id] = place
      lengths[place.chain] = place.number
      for target in cited.compactMap({ places[$0] }) where target.chain != place.chain { links.append((place, target)) }
    }

    var cover: AuthChainCover {
      AuthChainCover(
        places: places, walked: edges.filter { places[$0.key] == nil }, index: ChainCoverIndex(links: links))
    }

    func names(_ selection: AuthChainCover.Selection) -> Set<EventID> {
      selection.events.union(
        places.filter { _, place in
          selection.ranges.contains { $0.chain == place.chain && $0.numbers.contains(place.number) }
        }.keys)
    }

    func closure(_ events: some Sequence<EventID>) -> Set<EventID> {
      var seen: Set<EventID> = []
      var pending = Array(events)
      while let id = pending.popLast() { if seen.insert(id).inserted { pending += edges[id] ?? [] } }
      return seen
    }
  }

  @Test(arguments: 0..<40 as Range<UInt64>)
  func selectsWhatAWalkSelects(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let covered = [0, 60, 120].randomElement(using: &random) ?? 0
    let room = Room(events: 120, covered: covered, &random)
    let cover = room.cover
    for _ in 0..<20 {
      func choose(_ most: Int) -> [EventID] {
        (0..<Int.random(in: 0...most, using: &random)).compactMap { _ in room.ids.randomElement(using: &random) }
      }
      let sets = (0..<Int.random(in: 1...4, using: &random)).map { _ in choose(4) }
      let shared = choose(3)
      let chains = sets.map { room.closure($0 + shared) }
      let all = chains.reduce(into: Set<EventID>()) { $0.formUnion($1) }
      let expected = all.filter { id in !chains.allSatisfy { $0.contains(id) } }
      let branches = sets.map { $0 + shared.filter { room.places[$0] == nil } }
      let difference = cover.difference(of: branches, shared: shared.compactMap { room.places[$0] })
      #expect(room.names(difference) == expected, "seed \(seed)")

      let conflicted = Set(sets.joined())
      var graph = AuthGraph { room.edges[$0] ?? [] }
      #expect(room.names(cover.subgraph(of: conflicted)) == (try graph.conflictedSubgraph(of: conflicted)))
    }
  }

  @Test func followsAMillionLinksWithoutRecursion() {
    let count: Int64 = 1_000_000
    let index = ChainCoverIndex(
      links: (1..<count).lazy.map { chain in
        (origin: ChainPlace(chain: chain + 1, number: 1), target: ChainPlace(chain: chain, number: 1))
      })
    #expect(index.reach(from: [ChainPlace(chain: count, number: 1)]).count == Int(count))
    #expect(index.dependents(of: [ChainPlace(chain: 1, number: 1)]).count == Int(count))
  }

  @Test func walksAMillionEventsWithoutRecursion() throws {
    let count = 1_000_000
    let ids = (0..<count).map { EventID(unchecked: "$\($0)") }
    var graph = AuthGraph { id in Int(id.rawValue.dropFirst()).flatMap { $0 > 0 ? [ids[$0 - 1]] : nil } ?? [] }
    #expect(try graph.authChain(of: ids.suffix(1)).count == count - 1)
    #expect(try graph.conflictedSubgraph(of: [ids[0], ids[count - 1]]).count == count)
  }
}
