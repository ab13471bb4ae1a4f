import Testing

@testable import StorageEngine

@Suite("Positions of a stream with several writers")
struct StreamPositionsTests {
  /// A stream at 5 with this process (`own`) and two other writers.
  private func positions() -> StreamPositions {
    var positions = StreamPositions(instanceName: "own", persistedUpTo: 5)
    for writer in ["own", "a", "b"] { positions.begin(writer, at: 5) }
    return positions
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
    var positions = StreamPositions(instanceName: "reader", persistedUpTo: 1)
    positions.begin("master", at: 1)
    positions.advance("master", to: 40)
    #expect(positions.persistedUpTo == 40)
    #expect(positions.position(of: "unknown") == 40)
  }

  @Test("Rows found at start move their writer and the common position over gapless runs")
  func start() {
    var positions = positions()
    for (id, writer) in [(6, "a"), (7, "b"), (9, "a")] { positions.sawRow(Int64(id), of: writer) }
    #expect(positions.position(of: "a") == 9)
    #expect(positions.persistedUpTo == 7)
  }

  @Test("Random takes and finishes never show a position above an id in flight", arguments: 0..<50)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var positions = StreamPositions(instanceName: "own", persistedUpTo: 1)
    positions.begin("own", at: 1)
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
