import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Testing

@testable import SyncEngine

@Suite struct RoomStateReaderTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob

  @Test(arguments: [true, false])
  func eachRoomIsReadByItsOwnFilter(_ isCached: Bool) async throws {
    let server = try await SyncFixture()
    let (one, two) = (
      try await server.createRoom(alice, ["preset": "public_chat", "name": "One"]), try await server.createRoom()
    )
    for room in [one, two] { try await server.change(.join, room, by: bob) }
    await server.hub.waitUntilIdle()
    for room in [one, two] {
      if isCached {
        _ = try await server.readers.states.wholeState(of: room)
      } else {
        server.stores.state.invalidateCurrent(room)
      }
    }
    await server.stores.events.ids.flush()  // Otherwise the note of the writer's position may fall into the count.
    let before = server.database.client.statistics.queries
    let states = try await server.readers.states.states([
      RoomStateReader.Request(room: one, filter: .keys([StateKey("m.room.name"), StateKey("m.room.topic")])),
      RoomStateReader.Request(room: two, filter: .lazyMembers([bob.userID])),
    ])
    #expect(server.database.client.statistics.queries - before == (isCached ? 0 : 1))
    #expect(states[one]?.keys.map(\.type) == ["m.room.name"])
    let members = try #require(states[two]).keys.filter { $0.type == "m.room.member" }
    #expect(members.map(\.stateKey) == ["@bob:test"])
    #expect(states[two]?[StateKey("m.room.create")] != nil && states[two]?[StateKey("m.room.join_rules")] != nil)
  }

  @Test func theStateIsReadWhereSomebodyLeft() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let seen = try await server.set("m.room.topic", ["topic": "seen"], room)
    try await server.change(.leave, room, by: bob)
    try await server.set("m.room.topic", ["topic": "unseen"], room)
    await server.hub.waitUntilIdle()
    let departure = try await server.readers.memberships.departures(of: bob.userID, from: [room])[room]
    let states = try await server.readers.states.states([
      RoomStateReader.Request(room: room, event: departure?.eventID, filter: .keys([StateKey("m.room.topic")]))
    ])
    #expect(states[room] == [StateKey("m.room.topic"): seen])
  }

  @Test func changesAreThoseOfEachRoomsStretch() async throws {
    let server = try await SyncFixture()
    let (one, two) = (try await server.createRoom(), try await server.createRoom())
    let start = try await now(server)
    let topics = (
      try await server.set("m.room.topic", ["topic": "1"], one),
      try await server.set("m.room.topic", ["topic": "2"], two)
    )
    let middle = try await now(server)
    let names = (
      try await server.set("m.room.name", ["name": "1"], one), try await server.set("m.room.name", ["name": "2"], two)
    )
    let end = try await now(server)
    let changes = try await server.readers.states.changes(in: [
      RoomStretch(room: one, after: start, upTo: middle), RoomStretch(room: two, after: start, upTo: end),
    ])
    #expect(changes[one]?.map(\.eventID) == [topics.0])
    #expect(changes[two]?.map(\.eventID) == [topics.1, names.1])
    let later = try await server.readers.states.changes(in: [
      RoomStretch(room: one, after: middle, upTo: end), RoomStretch(room: two, after: end, upTo: end),
    ])
    #expect(later.keys.map(\.self) == [one] && later[one]?.map(\.eventID) == [names.0])
  }

  @Test func aUnionWantsWhatAnyFilterWants() {
    let keys = [
      StateKey("m.room.name"), StateKey("m.room.topic"), StateKey("m.room.member", "@a:t"),
      StateKey("m.room.member", "@b:t"), StateKey("org.other", "x"),
    ]
    let filters: [StateFilter] = [
      .all, .none, .nonMembers, .members, .keys([keys[0]]), .keys([keys[2], keys[1]]), .keys([keys[3]]),
      .lazyMembers([UserID(unchecked: "@a:t")]), StateFilter(types: ["org.other": nil]),
      StateFilter(types: ["m.room.name": .some([])], includesOthers: true),
    ]
    for first in filters {
      for second in filters {
        let union = StateFilter.union([first, second])
        for key in keys {
          #expect(union.includes(key) == (first.includes(key) || second.includes(key)), "\(first) \(second) \(key)")
        }
      }
    }
    #expect(keys.allSatisfy { !StateFilter.union([]).includes($0) })
    #expect(StateFilter.union([.keys([keys[2]]), .keys([keys[3]])]).exactKeys?.count == 2)
  }

  private func now(_ server: SyncFixture) async throws -> RoomStreamToken {
    await server.hub.waitUntilIdle()
    return server.services.tokens.current().room
  }
}
