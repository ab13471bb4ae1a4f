import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// What a sync costs in statements.
@Suite struct SyncStatementTests {
  let bob = SyncFixture.bob
  let lazy: JSON = ["room": ["state": ["lazy_load_members": true], "timeline": ["limit": 3]]]
  let messages: JSON = ["room": ["timeline": ["types": ["m.room.message"], "limit": 3]]]

  @Test(arguments: [1, 4])
  func severalRoomsCostNoMoreStatementsThanOne(_ count: Int) async throws {
    let server = try await SyncFixture()
    let rooms = try await busyRooms(count, server)
    // Each room's members are read once, for presence.
    let (initial, first) = try await statements(server)
    #expect(initial <= 10 + count)
    #expect(try await statements(server, filter: lazy).count <= 3)
    for room in rooms { try await server.say("news", room) }
    let (incremental, second) = try await statements(server, since: first.next)
    #expect(incremental <= 2)
    #expect(rooms.allSatisfy { second.bodies($0) == ["news"] })
    #expect(try await statements(server, since: first.next, filter: messages).count <= 1)
    #expect(try await statements(server, since: second.next).count == 0)
    for room in rooms { try await server.change(.leave, room, by: bob) }
    let (leaving, left) = try await statements(server, since: second.next)
    #expect(leaving <= 5 + count, "the state is read in which each room was left")
    for room in rooms { try await server.change(.join, room, by: bob) }
    #expect(try await statements(server, since: left.next).count <= 5, "one of them for who has come, in all rooms")
  }

  @Test func membersWhoSpeakAreReadForAllRoomsTogether() async throws {
    let server = try await SyncFixture()
    let rooms = try await busyRooms(4, server)
    let first = try await server.sync(bob, filter: messages)
    for room in rooms {
      try await server.say("news", room)
      server.stores.state.invalidateCurrent(room)
    }
    let (count, answer) = try await statements(server, since: first.next, filter: lazy)
    #expect(rooms.allSatisfy { answer.joined($0)?.keys("state") == ["m.room.member|@alice:test"] })
    #expect(count <= 3, "one for the memberships, one for the counts, one for transactions")
  }

  // MARK: Shorthand

  /// Makes rooms of Alice's in which Bob is.
  private func busyRooms(_ count: Int, _ server: SyncFixture) async throws -> [RoomID] {
    var rooms: [RoomID] = []
    for _ in 0..<count {
      let room = try await server.createRoom()
      try await server.change(.join, room, by: bob)
      for number in 0..<5 { try await server.say("\(number)", room) }
      rooms.append(room)
    }
    return rooms
  }

  private func statements(
    _ server: SyncFixture, since: Text? = nil, filter: JSON? = nil
  ) async throws -> (count: Int, answer: JSON) {
    await server.hub.waitUntilIdle()
    await server.stores.events.ids.flush()  // Otherwise the note of the writer's position may fall into the count.
    let before = server.database.client.statistics.queries
    let answer = try await server.syncNow(bob, since: since, filter: filter)
    return (Int(server.database.client.statistics.queries - before), answer)
  }
}
