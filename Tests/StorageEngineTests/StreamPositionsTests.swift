import ByteText
import SeededNumbers
import Testing

@testable import StorageEngine

@Suite("Positions of a stream with several writers")
struct StreamPositionsTests {
  /// Returns a stream at 5 with this process (`own`) and two other writers.
  private func positions() -> StreamPositions {
    positions(rows: [])
  }

  private func positions(rows: [(instance: Text?, id: Int64)]) -> StreamPositions {
    let writers = ["own", "a", "b"]
    return StreamPositions(
      instanceName: "own", known: Dictionary(uniqueKeysWithValues: writers.map { ($0, 5) }), configured: writers,
      largest: 5,
      rows: rows)
  }

  private func take(_ ids: [Int64], _ positions: inout StreamPositions) {
    let fetch = positions.beginFetch()
    positions.endFetch(fetch, ids: ids)
  }

  @Test("The own position stays below an id in flight, whatever finishes above it")
  func inFlight() {
    var positions = positions()
    take([6, 7, 8], &positions)
    positions.finish([7, 8])
    #expect(positions.own == 5)
    positions.finish([6])
    #expect(positions.own == 8)
  }

  @Test("A request under way holds the position below what it may bring")
  func fetchUnderWay() {
    var positions = positions()
    let slow = positions.beginFetch()
    take([7], &positions)
    positions.finish([7])
    #expect(positions.own == 5)
    positions.endFetch(slow, ids: [6])
    #expect(positions.own == 5)
    positions.finish([6])
    #expect(positions.own == 7)
  }

  @Test("A request that failed gives back what it held")
  func failedFetch() {
    var positions = positions()
    let slow = positions.beginFetch()
    take([7], &positions)
    positions.finish([7])
    positions.endFetch(slow, ids: [])
    #expect(positions.own == 7)
  }

  @Test("Everybody's rows are visible up to the slowest other writer, and over ids known without a gap")
  func persisted() {
    var positions = positions()
    positions.advance("a", to: 6)
    #expect(positions.persistedUpTo == 6)
    positions.advance("a", to: 9)
    #expect(positions.persistedUpTo == 6)
    #expect(positions.position(of: "a") == 9)
    #expect(positions.position(of: "b") == 6)
    positions.advance("b", to: 8)
    #expect(positions.persistedUpTo == 9)
  }

  @Test("An own id in flight keeps everybody back, an idle own writer nobody")
  func ownHoldsBack() {
    var positions = positions()
    take([6], &positions)
    positions.advance("a", to: 7)
    positions.advance("b", to: 8)
    #expect(positions.persistedUpTo == 5)
    positions.finish([6])
    #expect(positions.persistedUpTo == 8)
    positions.advance("a", to: 20)
    positions.advance("b", to: 20)
    #expect(positions.persistedUpTo == 20)
    #expect(positions.position(of: "own") == 20)
    #expect(positions.own == 6)
  }

  @Test("Positions only go up, and news of oneself from outside is not believed")
  func monotonic() {
    var positions = positions()
    positions.advance("a", to: 3)
    #expect(positions.position(of: "a") == 5)
    positions.advance("own", to: 50)
    #expect(positions.own == 5)
  }

  @Test("With one writer elsewhere its position is everybody's")
  func singleWriter() {
    var positions = StreamPositions(
      instanceName: "reader", known: [:], configured: ["master"], largest: 0, rows: [])
    positions.advance("master", to: 40)
    #expect(positions.persistedUpTo == 40)
    #expect(positions.position(of: "unknown") == 40)
  }

  @Test("Rows found at start move the common position over gapless runs, and only the own one beyond")
  func start() {
    let positions = positions(rows: [("b", 7), ("own", 11), ("a", 6), ("a", 9), (nil, 8)])
    #expect(positions.persistedUpTo == 9)
    // Another writer may have an id in flight below the row that was found.
    #expect(positions.position(of: "a") == 9)
    #expect(positions.own == 11)
    #expect(self.positions(rows: [("a", 7)]).position(of: "a") == 5)
  }

  @Test("A writer without a stored position begins where everybody is, and without any the tables tell")
  func newWriter() {
    let known = StreamPositions(
      instanceName: "x", known: ["a": 20], configured: ["a", "b"], largest: 30, rows: [("a", 20), ("b", 21)])
    #expect(known.all == ["a": 21, "b": 21])
    let fresh = StreamPositions(instanceName: "x", known: [:], configured: ["a"], largest: 30, rows: [])
    #expect(fresh.persistedUpTo == 30)
    #expect(fresh.position(of: "a") == 30)
  }

  @Test("An idle writer says that it is as far as anybody was heard to be")
  func optimistic() {
    var positions = positions()
    positions.advance("a", to: 50)
    #expect(positions.position(of: "own") == 50)
    #expect(positions.own == 5)
    #expect(positions.persistedUpTo == 5)
    take([51], &positions)
    positions.advance("b", to: 60)
    #expect(positions.position(of: "own") == 50)
  }

  @Test("Random takes and finishes never show a position above an id in flight", arguments: 0..<50)
  func random(seed: UInt64) {
    var generator = SeededRandom(seed)
    var positions = StreamPositions(
      instanceName: "own", known: ["own": 1], configured: ["own"], largest: 1, rows: [])
    var next: Int64 = 2
    var flying: [Int64] = []
    for _ in 0..<200 {
      if flying.isEmpty || Bool.random(using: &generator) {
        let count = Int64.random(in: 1...4, using: &generator)
        take(Array(next..<next + count), &positions)
        flying += Array(next..<next + count)
        next += count
      } else {
        let index = Int.random(in: flying.indices, using: &generator)
        positions.finish([flying.remove(at: index)])
      }
      #expect(positions.own < flying.min() ?? .max)
      #expect(positions.persistedUpTo < flying.min() ?? .max)
    }
    positions.finish(flying)
    #expect(positions.own == next - 1)
    #expect(positions.persistedUpTo == next - 1)
  }
}
