import MatrixEvents
import MatrixPrimitives
import Stores
import Testing

@testable import RoomServices

@Suite struct SpaceTests {
  @Test func occupancyIsTheSameFromMemoryAndFromTheDatabase() async throws {
    let server = try await RoomFixture()
    let (room, left) = (try await server.createRoom(), try await server.createRoom())
    try await server.change(.join, room, by: RoomFixture.bob)
    try await server.change(.leave, left, by: RoomFixture.alice)
    let store = server.stores.memberships
    for _ in 0..<2 {
      let found = try await store.occupancy(of: [room, left, RoomID(unchecked: "!none:test")])
      #expect(found.count == 1)
      #expect(found[room]?.joined == 2)
      #expect(found[room]?.includesLocalUsers == true)
      for id in [room, left] { _ = try await store.members(id) }
    }
    store.invalidate(room: room)
    #expect(try await store.occupancy(of: [room])[room]?.joined == 2)
  }

  @Test func sessionsAreFoundByTypeAndNameUntilTheyExpire() async throws {
    let server = try await RoomFixture()
    let store = server.stores.paginationSessions
    let id = try await store.create("a", ["x": "nul\u{0}"], lifetimeMilliseconds: 60_000)
    #expect(try await store.session("a", id)?["x"]?.string == "nul\u{0}")
    #expect(try await store.session("b", id) == nil)
    #expect(try await store.session("a", "\u{0}") == nil)
    let expired = try await store.create("a", [:], lifetimeMilliseconds: 0)
    #expect(try await store.session("a", expired) == nil)
    _ = try await store.create("a", [:], lifetimeMilliseconds: 1)
    let rows = try await server.database.client.run("SELECT count(*) FROM sessions WHERE session_id = \(expired)")
    #expect(try rows.first?.get(0, as: Int64.self) == 0)
  }

  @Test func aWalkSurvivesBeingStored() async throws {
    let room = RoomID(unchecked: "!a:test"), user = UserID(unchecked: "@u:test")
    let query = SpaceService.HierarchyQuery(
      roomID: room, suggestedOnly: true, maximumDepth: 3, limit: nil, from: nil)
    var walk = HierarchyWalk(from: room)
    #expect(walk.next()?.roomID == room)
    #expect(walk.isAtEnd)
    var other = HierarchyWalk(from: room)
    let stored = try other.json(query, user).document()
    var read = try #require(HierarchyWalk(stored, query, user))
    #expect(read.next()?.roomID == other.next()?.roomID)
    #expect(HierarchyWalk(stored, query, UserID(unchecked: "@v:test")) == nil)
    let deeper = SpaceService.HierarchyQuery(
      roomID: room, suggestedOnly: true, maximumDepth: 4, limit: nil, from: nil)
    #expect(HierarchyWalk(stored, deeper, user) == nil)
  }

  @Test(arguments: [0, 127, 128, 255, 256, 65_536, 4_294_967_296] as [Int64])
  func placesInTheListAreReadAsTheyWereWritten(members: Int64) throws {
    let rooms =
      ["", "!a:b", Text(repeating: "x", count: 31), Text(repeating: "x", count: 32)] + [
        Text(repeating: "x", count: 255)
      ]
    for room in rooms {
      for isForward in [true, false] {
        let place = ListPosition(joinedMembers: members, roomID: room, isForward: isForward)
        #expect(try ListPosition(place.text) == place)
      }
    }
  }

  /// A token that Synapse wrote: `{"m": 2, "r": "!a:b", "d": true}` in MessagePack.
  @Test func placesOfSynapseAreRead() throws {
    let bytes: [UInt8] = [0x83, 0xa1, 0x6d, 0x02, 0xa1, 0x72, 0xa4, 0x21, 0x61, 0x3a, 0x62, 0xa1, 0x64, 0xc3]
    #expect(
      try ListPosition(UnpaddedBase64.encode(bytes))
        == ListPosition(joinedMembers: 2, roomID: "!a:b", isForward: true))
    for count in 0..<bytes.count {
      #expect(throws: MatrixError.self) { try ListPosition(UnpaddedBase64.encode(bytes.prefix(count))) }
    }
  }

  @Test func listsOfNetworksAreReadByTheirNames() async throws {
    let server = try await RoomFixture()
    let rooms = [try await server.createRoom(), try await server.createRoom()]
    _ = try await server.stores.rooms.setPublic(rooms[0], true)
    _ = try await server.database.client.run(
      "INSERT INTO appservice_room_list (appservice_id, network_id, room_id) VALUES ('irc', 'net', \(rooms[1].rawValue))"
    )
    func page(_ network: PublicRoomStore.Network?) async throws -> Set<RoomID> {
      let network = try #require(network)
      let page = try await server.rooms.directory.publicRooms(network: network, limit: nil, since: nil)
      return Set(page.chunk.map(\.roomID))
    }
    #expect(try await page(.main) == [rooms[0]])
    #expect(try await page(.all) == Set(rooms))
    #expect(try await page(PublicRoomStore.Network(instanceID: "irc|net")) == [rooms[1]])
    #expect(try await page(PublicRoomStore.Network(instanceID: "irc|other")).isEmpty)
    #expect(PublicRoomStore.Network(instanceID: "a|b|c") == nil)
    #expect(PublicRoomStore.Network(instanceID: "a") == nil)
  }
}
