import MatrixEvents
import MatrixPrimitives
import Stores
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite struct HistoryServiceTests {
  private func page(
    _ server: RoomFixture, _ room: RoomID, from: StreamToken? = nil, _ direction: PageDirection = .backward,
    limit: Int = 3, filter: EventFilter = EventFilter()
  ) async throws -> HistoryService.MessagesPage {
    try await server.rooms.history.messages(
      room: room, from: from, to: nil, direction: direction, limit: limit, filter: filter,
      requester: RoomFixture.alice)
  }

  @Test(arguments: [PageDirection.backward, .forward])
  func pagesAddUpToTheWholeHistoryWithoutGapOrRepeat(direction: PageDirection) async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    for number in 0..<11 { try await server.say("\(number)", room) }
    var found: [EventID] = []
    var next: StreamToken?
    var pages = 0
    repeat {
      let page = try await page(server, room, from: next, direction)
      found += page.chunk.map(\.stored.eventID)
      // Tokens survive the way to the client and back.
      if let end = page.end {
        next = try await server.rooms.history.token(try await server.rooms.history.text(end))
      } else {
        next = nil
      }
      pages += 1
    } while next != nil && pages < 20
    let all = try await server.timeline(room).map(\.stored.eventID)
    #expect(all.count == 16)
    #expect(found == (direction == .backward ? all.reversed() : all))
  }

  @Test func filtersAndLazyMembersShapeAPage() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: RoomFixture.bob)
    try await server.say("from alice", room)
    try await server.say("from bob", room, RoomFixture.bob)
    let filter = try EventFilter(
      text: #"{"types":["m.room.mess*"],"not_senders":["@alice:test"],"lazy_load_members":true}"#)
    let page = try await page(server, room, limit: 10, filter: filter)
    #expect(page.chunk.map(\.stored.sender.rawValue) == ["@bob:test"])
    #expect(page.state?.map(\.stored.stateKey) == ["@bob:test"])
  }

  @Test func surroundingsAreSharedBetweenBothSides() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    var ids: [EventID] = []
    for number in 0..<9 { ids.append(try await server.say("\(number)", room)) }
    let around = try await server.rooms.history.surroundings(
      of: ids[4], room: room, limit: 5, filter: EventFilter(), requester: RoomFixture.alice)
    #expect(around.before.map(\.stored.eventID) == [ids[3], ids[2]])
    #expect(around.after.map(\.stored.eventID) == [ids[5], ids[6], ids[7]])
    #expect(around.event.stored.eventID == ids[4])
    #expect(around.state.count == 5)
    let earlier = try await page(server, room, from: around.start, .backward, limit: 1)
    #expect(earlier.chunk.map(\.stored.eventID) == [ids[1]])
    let later = try await page(server, room, from: around.end, .forward, limit: 1)
    #expect(later.chunk.map(\.stored.eventID) == [ids[8]])
  }

  @Test(arguments: [("joined", 1), ("invited", 2), ("shared", 3), ("world_readable", 3)])
  func newMembersSeeWhatTheVisibilityGrants(visibility: Text, count: Int) async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(
      RoomFixture.alice,
      [
        "preset": "public_chat",
        "initial_state": [
          ["type": "m.room.history_visibility", "content": ["history_visibility": .string(visibility)]]
        ],
      ])
    try await server.say("before the invite", room)
    try await server.change(.invite, room, by: RoomFixture.alice, of: RoomFixture.bob)
    try await server.say("before the join", room)
    let outside = try await server.refusal { _ = try await server.timeline(room, RoomFixture.carol) }
    #expect((outside == nil) == (visibility == "world_readable"))
    try await server.change(.join, room, by: RoomFixture.bob)
    try await server.say("after the join", room)
    let seen = try await server.timeline(room, RoomFixture.bob).filter { $0.stored.type == "m.room.message" }
    #expect(seen.count == count)
  }

  @Test func whoHasLeftSeesTheRoomAsItWasThen() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    _ = try await server.set("m.room.name", ["name": "old"], room)
    try await server.change(.join, room, by: RoomFixture.bob)
    try await server.say("seen", room)
    try await server.change(.leave, room, by: RoomFixture.bob)
    let unseen = try await server.say("unseen", room)
    _ = try await server.set("m.room.name", ["name": "new"], room)
    let history = server.rooms.history
    let name = try await history.stateEvent(room: room, key: StateKey("m.room.name"), requester: RoomFixture.bob)
    #expect(name.content["name"]?.string == "old")
    for direction in [PageDirection.backward, .forward] {
      let page = try await history.messages(
        room: room, from: nil, to: nil, direction: direction, limit: 100, filter: EventFilter(),
        requester: RoomFixture.bob)
      #expect(!page.chunk.contains { $0.stored.eventID == unseen })
      #expect(page.chunk.contains { $0.stored.content["body"]?.string == "seen" })
    }
    let hidden = try await server.refusal {
      _ = try await history.event(unseen, room: room, requester: RoomFixture.bob)
    }
    #expect(hidden?.status == 404)
  }

  @Test func editsThreadsAndReferencesAreBundled() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let root = try await server.say("root", room)
    func relate(_ type: Text, _ body: Text, _ more: [Text: JSON] = [:]) async throws -> EventID {
      let relation: JSON = ["rel_type": .string(type), "event_id": .string(root.rawValue)]
      return try await server.say(body, room, extra: more.merging(["m.relates_to": relation]) { $1 })
    }
    _ = try await relate("m.thread", "in the thread")
    let latest = try await relate("m.thread", "in the thread again")
    let reference = try await relate("m.reference", "look")
    let edit = try await relate("m.replace", "* edited", ["m.new_content": ["body": "edited", "msgtype": "m.text"]])
    let event = try await server.rooms.history.event(root, room: room, requester: RoomFixture.alice)
    let relations = try server.json(event)["unsigned"]?["m.relations"]
    #expect(relations?["m.replace"]?["event_id"]?.string == edit.rawValue)
    #expect(relations?["m.thread"]?["latest_event"]?["event_id"]?.string == latest.rawValue)
    #expect(relations?["m.thread"]?["count"] == 2)
    #expect(relations?["m.thread"]?["current_user_participated"] == true)
    #expect(relations?["m.reference"]?["chunk"]?[0]?["event_id"]?.string == reference.rawValue)
  }

  @Test func publishedRoomsComeLargestFirstInPages() async throws {
    let server = try await RoomFixture(settings: "room_list_publication_rules: [{action: allow}]")
    var created: [RoomID] = []
    for number in 0..<5 {
      let room = try await server.createRoom(
        RoomFixture.alice,
        ["preset": "public_chat", "visibility": "public", "name": .string("Room \(number)"), "topic": "Tea"])
      for guest in 0..<number { try await server.change(.join, room, by: RoomFixture.requester("guest\(guest)")) }
      created.append(room)
    }
    let directory = server.rooms.directory
    let first = try await directory.publicRooms(filter: PublicRoomStore.Filter(), limit: 2, since: nil)
    #expect(first.chunk.map(\.roomID) == [created[4], created[3]])
    #expect(first.total == 5 && first.previousBatch == nil)
    let second = try await directory.publicRooms(filter: PublicRoomStore.Filter(), limit: 2, since: first.nextBatch)
    #expect(second.chunk.map(\.roomID) == [created[2], created[1]])
    let back = try await directory.publicRooms(filter: PublicRoomStore.Filter(), limit: 2, since: second.previousBatch)
    #expect(back.chunk.map(\.roomID) == first.chunk.map(\.roomID))
    let third = try await directory.publicRooms(filter: PublicRoomStore.Filter(), limit: 2, since: second.nextBatch)
    #expect(third.chunk.map(\.roomID) == [created[0]] && third.nextBatch == nil)
    let search = try await directory.publicRooms(
      filter: PublicRoomStore.Filter(searchTerm: "rOOm 3"), limit: nil, since: nil)
    #expect(search.chunk.map(\.name) == ["Room 3"])
    let bad = try await server.refusal {
      _ = try await directory.publicRooms(filter: PublicRoomStore.Filter(), limit: 1, since: "nonsense!")
    }
    #expect(bad?.status == 400)
  }

  @Test func aliasesLeadToRoomsUntilTheyAreTakenAway() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let alias = try #require(RoomAlias("#tea:test"))
    let directory = server.rooms.directory
    let outsider = try await server.refusal {
      try await directory.create(alias, roomID: room, servers: nil, requester: RoomFixture.bob)
    }
    #expect(outsider?.status == 403)
    try await directory.create(alias, roomID: room, servers: nil, requester: RoomFixture.alice)
    #expect(try await directory.resolve(alias).servers == ["test"])
    let taken = try await server.refusal {
      try await directory.create(alias, roomID: room, servers: nil, requester: RoomFixture.alice)
    }
    #expect(taken?.status == 409)
    let wrong = try await server.refusal {
      _ = try await server.set("m.room.canonical_alias", ["alias": "#other:test"], room)
    }
    #expect(wrong?.errcode == "M_BAD_ALIAS")
    _ = try await server.set("m.room.canonical_alias", ["alias": "#tea:test", "alt_aliases": ["#tea:test"]], room)
    try await directory.delete(alias, requester: RoomFixture.alice)
    let canonical = try await server.rooms.history.stateEvent(
      room: room, key: StateKey("m.room.canonical_alias"), requester: RoomFixture.alice)
    #expect(canonical.content.json == [:])
    let gone = try await server.refusal { _ = try await directory.resolve(alias) }
    #expect(gone?.status == 404)
  }
}
