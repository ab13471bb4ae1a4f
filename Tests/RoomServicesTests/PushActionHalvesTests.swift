import MatrixPrimitives
import SeededNumbers
import Testing

@testable import EventPersistence

@Suite struct PushActionHalvesTests {
  @Test(arguments: 0..<50) func halvesAreAboutEqualWhoeverIsInTheRooms(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let everybody = (0..<2_000).map { UserID(unchecked: "@user-\($0):test") }
    // From one large room to many small ones. The nearer their members begin to each other, the more they have in common.
    let spread = Int.random(in: 0..<everybody.count, using: &random)
    let rooms = (0..<Int.random(in: 1...30, using: &random)).map { _ in
      let first = Int.random(in: 0...spread, using: &random)
      return Array(everybody[first...].prefix(Int.random(in: 64...600, using: &random)).shuffled(using: &random))
    }
    let middle = try #require(PushActionWriter.middle(of: rooms))
    let all = rooms.reduce(0) { $0 + $1.count }
    let lower = rooms.reduce(0) { $0 + $1.count { $0 < middle } }
    #expect((all / 3...all * 2 / 3).contains(lower), "\(lower) of \(all)")
  }

  @Test func nobodyHasNoMiddle() {
    #expect(PushActionWriter.middle(of: []) == nil)
    #expect(PushActionWriter.middle(of: [[], []]) == nil)
  }
}
