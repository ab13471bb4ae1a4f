import ByteText
import Postgres
import TestSupport
import Testing

@testable import StorageEngine

@Suite("Stream ids at hand")
struct StreamIDStockTests {
  private func generator(writers: [Text] = ["w1", "w2"]) async throws -> StreamIDGenerator {
    let ids = StreamIDGenerator(
      database: try await TestDatabase.withSchema().client, streamName: "to_device", instanceName: "w1",
      writers: writers,
      sequence: "device_inbox_sequence", tables: [("device_inbox", "stream_id", "instance_name")])
    try await ids.load()
    return ids
  }

  @Test("A busy writer finds its next ids at hand, and positions do not pass them")
  func busy() async throws {
    let ids = try await generator()
    let stock = StreamIDStock(ids)
    let first = try await stock.take(2, expecting: 3)
    #expect(first.ids == [2, 3])
    // Of another process, maybe, or of this one past the stock.
    let other = try await ids.allocate(1)
    #expect(other.ids == [7])
    let second = try await stock.take(2, expecting: 0)
    #expect(second.ids == [4, 5])
    other.finish()
    second.finish()
    #expect(ids.currentToken == 1)
    first.finish()
    #expect(ids.currentToken == 5)
    stock.clear()
    #expect(ids.currentToken == 7)
  }

  @Test("Ids rise, whatever was at hand when more were wanted")
  func rising() async throws {
    let ids = try await generator()
    let stock = StreamIDStock(ids)
    #expect(try await stock.take(1, expecting: 2).ids == [2])
    #expect(try await stock.take(5, expecting: 1).ids == [5, 6, 7, 8, 9])
    #expect(try await stock.take(1, expecting: 0).ids == [10])
    #expect(try await stock.take(1, expecting: 0).ids == [11])
    #expect(ids.currentToken == 11)
    var last: Int64 = 11
    for round in 0..<200 {
      let taken = try await stock.take(1 + round % 7, expecting: round % 5)
      #expect(taken.ids == taken.ids.sorted())
      #expect(try #require(taken.ids.first) > last)
      last = try #require(taken.ids.last)
    }
    stock.clear()
    let end = try await ids.allocate(1)
    end.finish()
    // What was asked for before the stock was given up may arrive after it, and is given up then.
    await ids.waitUntilPersisted(try #require(end.ids.first))
    #expect(ids.currentToken >= last)
  }

  @Test("A writer without others always has ids at hand, which hold nobody up")
  func alone() async throws {
    let ids = try await generator(writers: ["w1"])
    let stock = StreamIDStock(ids)
    let first = try await stock.take(1, expecting: 0)
    let second = try await stock.take(2, expecting: 0)
    #expect(first.ids == [2])
    #expect(second.ids == [3, 4])
    stock.clear()
    first.finish()
    #expect(ids.currentToken == 2)
    #expect(ids.position(of: "w1") == 2)
    second.finish()
    // Those at hand after them hold nobody up; they are given up when more come beside this, which may have happened already.
    #expect((4...10).contains(ids.currentToken))
    // More than there are.
    let third = try await stock.take(50, expecting: 0)
    #expect(try #require(third.ids.first) > 4)
    third.finish()
    // Others may have been asked for meanwhile; they are given up as soon as they come.
    await ids.waitUntilPersisted(try #require(third.ids.last))
  }

  @Test("Who may not write gets nothing, and bad counts are refused")
  func refused() async throws {
    let ids = try await generator()
    let stock = StreamIDStock(ids)
    #expect(try await stock.take(0, expecting: 5).ids == [])
    await #expect(throws: StreamIDError.self) { try await stock.take(-1, expecting: 5) }
    await #expect(throws: StreamIDError.self) { try await stock.take(StreamIDGenerator.largestCount + 1, expecting: 5) }
    await #expect(throws: StreamIDError.self) { try await stock.take(.max, expecting: .max) }
    #expect(ids.currentToken == 1)
    let most = try await stock.take(StreamIDGenerator.largestCount, expecting: .max)
    #expect(most.ids.count == StreamIDGenerator.largestCount)
  }
}
