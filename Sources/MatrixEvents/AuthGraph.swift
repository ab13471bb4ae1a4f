import MatrixPrimitives

/// The graph of auth events held in memory, for callers that have the edges at hand.
///
/// Events are numbered as they are met, so that walking compares numbers instead of ids. Nothing recurses.
public struct AuthGraph {
  private let edges: (EventID) throws -> [EventID]
  private var numbers: [EventID: Int] = [:]
  private var ids: [EventID] = []
  /// The auth events of each number; nil until they are asked for.
  private var known: [[Int]?] = []

  /// Wraps a source of edges.
  /// - Parameter edges: gives the auth events of an event, the implied create event included; it is asked once for each event.
  public init(edges: @escaping (EventID) throws -> [EventID]) {
    self.edges = edges
  }

  private mutating func number(of id: EventID) -> Int {
    if let number = numbers[id] { return number }
    numbers[id] = ids.count
    ids.append(id)
    known.append(nil)
    return ids.count - 1
  }

  private mutating func cited(_ number: Int) throws -> [Int] {
    if let cited = known[number] { return cited }
    let cited = try edges(ids[number]).map { self.number(of: $0) }
    known[number] = cited
    return cited
  }

  /// Marks all events that can be reached from some events; those that `closed` marks are neither entered nor marked.
  private mutating func mark(from start: [Int], in marks: inout Marks, closed: Marks = Marks()) throws {
    var pending = start
    while let number = pending.popLast() {
      for next in try cited(number) where !closed.contains(next) && marks.insert(next) { pending.append(next) }
    }
  }

  private func events(_ marks: Marks) -> Set<EventID> { Set(marks.numbers.map { ids[$0] }) }

  /// Collects all events that can be reached from some events, those themselves left out unless reached.
  public mutating func authChain(of ids: some Sequence<EventID>) throws -> Set<EventID> {
    var marks = Marks()
    try mark(from: ids.map { number(of: $0) }, in: &marks)
    return events(marks)
  }

  /// Computes the events that are in the full auth chains (the states' own events included) of some but not all states.
  ///
  /// Events that all states share are in every chain, so walking stops there.
  public mutating func authChainDifference(of stateSets: [StateMap]) throws -> Set<EventID> {
    let sets = stateSets.map { $0.values.map { number(of: $0) } }
    guard let first = sets.first else { return [] }
    var shared = Marks(first)
    for set in sets.dropFirst() { shared.keep(Marks(set)) }
    var common = shared
    try mark(from: shared.numbers, in: &common)
    var counts: [Int: Int] = [:]
    for set in sets {
      var reached = Marks()
      let start = set.filter { !common.contains($0) && reached.insert($0) }
      try mark(from: start, in: &reached, closed: common)
      for number in reached.numbers { counts[number, default: 0] += 1 }
    }
    return Set(counts.filter { $0.value < sets.count }.keys.map { ids[$0] })
  }

  /// Computes the events on auth paths from one conflicted event to another, the conflicted events included.
  public mutating func conflictedSubgraph(of conflicted: Set<EventID>) throws -> Set<EventID> {
    let start = conflicted.map { number(of: $0) }
    var backwards = Marks(start)
    try mark(from: start, in: &backwards)
    var citing = [[Int]](repeating: [], count: ids.count)
    for number in backwards.numbers {
      for next in try cited(number) { citing[next].append(number) }
    }
    // All in `backwards` descends from a conflicted event; what also has one among its ancestors lies between two.
    var between = Marks(start)
    var pending = start
    while let number = pending.popLast() {
      for next in citing[number] where between.insert(next) { pending.append(next) }
    }
    return events(between)
  }
}

/// A set of small numbers, in the order in which they came.
private struct Marks {
  private(set) var numbers: [Int] = []
  private var isMarked: [Bool] = []

  init() {}

  init(_ numbers: [Int]) {
    for number in numbers { insert(number) }
  }

  func contains(_ number: Int) -> Bool { number < isMarked.count && isMarked[number] }

  /// Marks a number; returns whether it was not marked before.
  @discardableResult
  mutating func insert(_ number: Int) -> Bool {
    if number >= isMarked.count {
      let room = max(number + 1, isMarked.count * 2, 64)
      isMarked.append(contentsOf: repeatElement(false, count: room - isMarked.count))
    }
    guard !isMarked[number] else { return false }
    isMarked[number] = true
    numbers.append(number)
    return true
  }

  /// Unmarks what another set does not mark.
  mutating func keep(_ other: Marks) {
    self = Marks(numbers.filter { other.contains($0) })
  }
}
