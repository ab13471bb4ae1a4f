import MatrixPrimitives
import Stores
import Testing

@testable import SyncEngine

/// What a sliding sync costs in statements, and that a large answer is made piece by piece.
@Suite struct SlidingSyncStatementTests {
  let bob = SyncFixture.bob
  let state: JSON = [
    ["m.room.member", "$LAZY"], ["m.room.member", "$ME"], ["m.room.create", ""], ["m.room.name", ""],
  ]
  let extensions: JSON = [
    "to_device": ["enabled": true, "since": "1"], "e2ee": ["enabled": true], "account_data": ["enabled": true],
    "receipts": ["enabled": true], "typing": ["enabled": true],
  ]

  @Test(arguments: [1, 12])
  func severalRoomsCostNoMoreStatementsThanOne(_ count: Int) async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(count)
    let body = JSON.list(state: state, extensions: extensions)
    let (initial, first) = try await statements(server, body)
    #expect(first.slidRooms.count == count)
    #expect(initial <= 26)
    let (none, second) = try await statements(server, body, from: first.pos)
    #expect(second["rooms"] == [:])
    #expect(none <= 10, "the position is looked up once")
    #expect(try await statements(server, body, from: first.pos).count == 0)
    for room in rooms { try await server.say("news", room) }
    let (news, third) = try await statements(server, body, from: second.pos)
    #expect(rooms.allSatisfy { third.slidBodies($0) == ["news"] })
    #expect(news <= 1)
    // From here on the rooms are behind, each from a point of its own.
    var last = third
    for room in rooms.dropLast() {
      try await server.say("missed", room)
      try await server.say("near", rooms[count - 1])
      last = try await server.slide(.list([[0, 0]], state: state, extensions: extensions), from: last.pos)
    }
    _ = try await server.slide(.list([[0, 0]], state: state, extensions: extensions), from: last.pos)
    let (behind, fourth) = try await statements(server, body, from: last.pos)
    #expect(rooms.dropLast().allSatisfy { fourth.slidBodies($0) == ["missed"] })
    #expect(behind <= 16)
  }

  @Test func aLargeAnswerIsMadePieceByPiece() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(SlidingComputation.batch + 3)
    await server.hub.waitUntilIdle()
    let body = JSON.list([[0, 999]], limit: 1, state: state, extensions: extensions)
    let pieces = try await server.slidingPieces(bob, body)
    #expect(pieces.count == 4, "the lists, two batches of rooms, the rest")
    let first = try JSON.parse(Array(pieces.joined()))
    #expect(first.slidRooms == Set(rooms.map(\.rawValue)))
    #expect(first.at("extensions", "account_data", "rooms")?.members?.count == rooms.count)
    #expect(try await server.slide(body, from: first.pos)["rooms"] == [:], "all of it was noted")
    let growing = try await server.slide(.list([[0, 0]], limit: 1))
    let more = try await server.slidingPieces(bob, .list([[0, 999]], limit: 1), from: growing.pos)
    #expect(more.count == 4)
    #expect(try JSON.parse(Array(more.joined())).slidRooms.count == rooms.count - 1)
  }

  @Test func whatDidNotArriveIsNotNoted() async throws {
    struct Gone: Error {}
    let server = try await SyncFixture()
    _ = try await server.busyRooms(SlidingComputation.batch + 1)
    await server.hub.waitUntilIdle()
    let request = SlidingSyncRequest(
      requester: bob, from: nil, timeoutMilliseconds: 0,
      body: try SlidingSyncBody(try JSON.list([[0, 999]]).document()))
    let answer = try await withCheckedThrowingContinuation { continuation in
      _ = server.services.sliding.begin(request) { continuation.resume(with: $0) }
    }
    guard case .pieces(let produce) = answer else {
      Issue.record("the answer is whole")
      return
    }
    await #expect(throws: Gone.self) { try await produce { _ in throw Gone() } }
    let rows = try await server.database.client.run("SELECT conn_id FROM sliding_sync_connections")
    #expect(rows.count == 0)
  }

  private func statements(
    _ server: SyncFixture, _ body: JSON, from: Text? = nil
  ) async throws -> (count: Int, answer: JSON) {
    await server.hub.waitUntilIdle()
    await server.stores.events.ids.flush()  // Otherwise the note of the writer's position may fall into the count.
    let before = server.database.client.statistics.queries
    let answer = try await server.slideNow(body, as: bob, from: from)
    return (Int(server.database.client.statistics.queries - before), answer)
  }
}
