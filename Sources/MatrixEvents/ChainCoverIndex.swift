import ByteText

/// A place in a room's chain cover: a chain and a number in it, from 1.
public struct ChainPlace: Hashable, Sendable, Comparable {
  /// The id of the chain.
  public let chain: Int64
  /// The number in the chain; an event rests on all events of lower numbers in its chain.
  public let number: Int64

  /// Creates a place.
  public init(chain: Int64, number: Int64) {
    self.chain = chain
    self.number = number
  }

  /// Orders by chain, then number.
  public static func < (a: ChainPlace, b: ChainPlace) -> Bool {
    a.chain != b.chain ? a.chain < b.chain : a.number < b.number
  }
}

/// A run of places of one chain.
public struct ChainRange: Hashable, Sendable {
  /// The id of the chain.
  public let chain: Int64
  /// The numbers of the places, both ends included.
  public let numbers: ClosedRange<Int64>

  /// Creates a run.
  public init(chain: Int64, numbers: ClosedRange<Int64>) {
    self.chain = chain
    self.numbers = numbers
  }
}

/// The answers about auth chains, found from chains and the links between them, without looking at the events in
/// between.
///
/// Every covered event has a place. An event rests on another if both are in one chain and the other's number is lower, or if a path of
/// links leads from its chain, at or below its number, to the other's chain, at or above the other's number. So a whole auth chain is
/// described by one number for each chain: the highest that is reached.
///
/// Source: MSC1442 needs auth chain differences; the cover is described in Synapse's `docs/auth_chain_difference_algorithm.md`, and its
/// tables `event_auth_chains` and `event_auth_chain_links` hold it.
public struct ChainCoverIndex: Sendable {
  /// The links that begin in each chain, lowest origin first.
  private var outgoing: [Int64: [Link]] = [:]
  /// The links that end in each chain, highest target first.
  private var incoming: [Int64: [Link]] = [:]

  private struct Link {
    let origin: ChainPlace
    let target: ChainPlace
  }

  /// Builds the index from links in any order; repeated ones do no harm.
  public init(links: some Sequence<(origin: ChainPlace, target: ChainPlace)>) {
    for (origin, target) in links {
      let link = Link(origin: origin, target: target)
      outgoing[origin.chain, default: []].append(link)
      incoming[target.chain, default: []].append(link)
    }
    for chain in outgoing.keys { outgoing[chain]?.sort { $0.origin.number < $1.origin.number } }
    for chain in incoming.keys { incoming[chain]?.sort { $0.target.number > $1.target.number } }
  }

  /// Finds how far auth chains go.
  /// - Parameter places: where to start; they count as reached.
  /// - Returns: for each chain that is reached the highest number; all lower ones are reached too.
  public func reach(from places: some Sequence<ChainPlace>) -> [Int64: Int64] {
    spread(from: places, along: outgoing, isFurther: { $0 > $1 }, near: \.origin, far: \.target)
  }

  /// Finds what rests on some places.
  /// - Parameter places: where to start; they count as found.
  /// - Returns: for each chain the lowest number that rests on one of the places; all higher ones do too.
  public func dependents(of places: some Sequence<ChainPlace>) -> [Int64: Int64] {
    spread(from: places, along: incoming, isFurther: { $0 < $1 }, near: \.target, far: \.origin)
  }

  /// Follows links from place to place. Each link is followed at most once, when the number it hangs on is first passed.
  private func spread(
    from places: some Sequence<ChainPlace>, along links: [Int64: [Link]], isFurther: (Int64, Int64) -> Bool,
    near: KeyPath<Link, ChainPlace>, far: KeyPath<Link, ChainPlace>
  ) -> [Int64: Int64] {
    var furthest: [Int64: Int64] = [:]
    var followed: [Int64: Int] = [:]
    var pending: [Int64] = []
    func pass(_ place: ChainPlace) {
      if let known = furthest[place.chain], !isFurther(place.number, known) { return }
      furthest[place.chain] = place.number
      pending.append(place.chain)
    }
    for place in places { pass(place) }
    while let chain = pending.popLast() {
      guard let list = links[chain], let limit = furthest[chain] else { continue }
      var next = followed[chain] ?? 0
      while next < list.count, !isFurther(list[next][keyPath: near].number, limit) {
        pass(list[next][keyPath: far])
        next += 1
      }
      followed[chain] = next
    }
    return furthest
  }
}
