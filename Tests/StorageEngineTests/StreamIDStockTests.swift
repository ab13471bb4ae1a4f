import ByteText
import Postgres
import TestSupport
import Testing

@testable import StorageEngine

@Suite("Stream ids at hand")
struct StreamIDStockTests {
  private func generator(writers: [Text] = ["w1"]) async throws -> StreamIDGenerator {
    let ids = StreamIDGenerator(
      database: try await TestDatabase.withSchema().client, streamName: "to_device", instanceName: "w1",
      writers: writers,
      sequence: "device_inbox_sequence", tables: [("device_inbox", "stream_id", "instance_name")])
    try await ids.load()
    return ids
  }

  @Test("A writer among others has nothing at hand that could hold their readers up")
  func several() async throws {
    let ids = try await generator(writers: ["w1", "w2"])
    let stock = StreamIDStock(ids)
    for id in [2, 3, 4] as [Int64] {
      let taken = try await stock.take(1)
      #expect(taken.ids == [id])
      taken.finish()
      #expect(ids.currentToken == id)
    }
    let other = try await ids.allocate(1)
    #expect(other.ids == [5])
  }

  @Test("Ids rise, whatever was at hand when more were wanted")
  func rising() async throws {
    let ids = try await generator()
    let stock = StreamIDStock(ids)
    #expect(try await stock.take(1).ids == [2])
    #expect(try await stock.take(9).ids == [11, 12, 13, 14, 15, 16, 17, 18, 19])
    #expect(try await stock.take(1).ids == [20])
    var last: Int64 = 20
    for round in 0..<200 {
      let taken = try await stock.take(1 + round % 17)
      #expect(taken.ids == taken.ids.sorted())
      #expect(try #require(taken.ids.first) > last)
      last = try #require(taken.ids.last)
    }
    await ids.waitUntilPersisted(last)
    #expect(ids.currentToken >= last)
  }

  @Test("Concurrent takers never get the same id")
  func concurrent() async throws {
    let stock = StreamIDStock(try await generator())
    let taken = try await withThrowingTaskGroup(of: [Int64].self) { group in
      for number in 0..<100 { group.addTask { try await stock.take(1 + number % 5).ids } }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(taken.count == 300)
    #expect(Set(taken).count == 300)
  }

  @Test("A writer without others always has ids at hand, which hold nobody up")
  func alone() async throws {
    let ids = try await generator(writers: ["w1"])
    let stock = StreamIDStock(ids)
    let first = try await stock.take(1)
    let second = try await stock.take(2)
    #expect(first.ids == [2])
    #expect(second.ids == [3, 4])
    first.finish()
    #expect(ids.currentToken == 2)
    #expect(ids.position(of: "w1") == 2)
    second.finish()
    // Those at hand after them delay nothing; they are given up when more come beside this, which may have happened already.
    #expect((4...10).contains(ids.currentToken))
    // More than there are.
    let third = try await stock.take(50)
    #expect(try #require(third.ids.first) > 4)
    third.finish()
    // Others may have been asked for meanwhile; they are given up as soon as they come.
    await ids.waitUntilPersisted(try #require(third.ids.last))
  }

  @Test("Who may not write gets nothing, and bad counts are refused")
  func refused() async throws {
    let ids = try await generator()
    let stock = StreamIDStock(ids)
    #expect(try await stock.take(0).ids == [])
    await #expect(throws: StreamIDError.self) { try await stock.take(-1) }
    await #expect(throws: StreamIDError.self) { try await stock.take(StreamIDGenerator.largestCount + 1) }
    await #expect(throws: StreamIDError.self) { try await stock.take(.max) }
    #expect(ids.currentToken == 1)
    let most = try await stock.take(StreamIDGenerator.largestCount)
    #expect(most.ids.count == StreamIDGenerator.largestCount)
  }
}
