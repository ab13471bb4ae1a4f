import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// What is read about a user and their rooms beside events.
@Suite struct SyncReadersTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob
  let carol = SyncFixture.carol

  @Test(arguments: [1, 5])
  func aListOfRoomsIsReadWithoutARequest(_ count: Int) async throws {
    let server = try await SyncFixture()
    for _ in 0..<count {
      let room = try await server.createRoom()
      try await server.change(.join, room, by: bob)
      for number in 0..<3 { try await server.say("\(number)", room) }
      await server.hub.waitUntilIdle()
      server.stores.state.invalidateCurrent(room)
    }
    let (rooms, now) = try await current(bob, server)
    await server.stores.events.ids.flush()  // Otherwise the note of the writer's position may fall into the count.
    let before = server.database.client.statistics.queries
    let timelines = try await server.readers.timelines.timelines(
      rooms.map { room in
        TimelineRequest(
          room: room.roomID, view: .joined(at: room.streamOrdering), after: nil, upTo: now.room, limit: 2)
      }, for: TimelineReader.Viewer(user: bob.userID, ignoredUsers: []), filter: EventFilter())
    let states = try await server.readers.states.states(
      zip(rooms, timelines).map { room, timeline in
        let members = timeline.senders.map { StateKey("m.room.member", $0) }
        return RoomStateReader.Request(room: room.roomID, filter: .keys(members + [StateKey("m.room.create")]))
      })
    let counts = try await server.services.sync.stores.notificationCounts.counts(
      of: bob.userID, in: rooms.map(\.roomID))
    #expect(server.database.client.statistics.queries - before <= 3, "one for each kind of thing")
    for (room, timeline) in zip(rooms, timelines) {
      #expect(timeline.entries.count == 2 && timeline.isLimited && timeline.senders == ["@alice:test"])
      #expect(states[room.roomID]?.count == 2 && counts[room.roomID]?.main.notifications == 3)
    }
  }

  @Test func aSpanSaysHowAUserCameAndWent() async throws {
    let server = try await SyncFixture()
    let (stayed, left, joined, excluded) = (
      try await server.createRoom(), try await server.createRoom(), try await server.createRoom(),
      try await server.createRoom()
    )
    for room in [stayed, left] { try await server.change(.join, room, by: bob) }
    let before = try await current(bob, server)
    for room in [joined, excluded] { try await server.change(.join, room, by: bob) }
    try await server.change(.leave, left, by: bob)
    let after = try await current(bob, server)
    #expect(Set(after.rooms.map(\.roomID)) == [stayed, left, joined, excluded])
    let spans = try await server.readers.memberships.changes(
      of: bob.userID, in: after.rooms, after: before.upTo.room, upTo: after.upTo.room, excluding: [excluded])
    #expect(Set(spans.keys) == [left, joined])
    let (gone, come) = (try #require(spans[left]), try #require(spans[joined]))
    #expect(gone.wasJoined && !gone.hasJoined && gone.wasAway && gone.last?.membership == "leave")
    #expect(!come.wasJoined && come.hasJoined && come.wasAway && come.last?.membership == "join")
    let departures = try await server.readers.memberships.departures(of: bob.userID, from: [left])
    #expect(departures[left]?.eventID == gone.last?.eventID)
  }

  @Test func aRoomIsCalledAfterOthersUnlessItHasAName() async throws {
    let server = try await SyncFixture()
    let named = try await server.createRoom(alice, ["preset": "public_chat", "name": "Den"])
    let nameless = try await server.createRoom()
    for room in [named, nameless] { try await server.change(.join, room, by: bob) }
    try await server.change(.invite, nameless, by: alice, of: carol)
    await server.hub.waitUntilIdle()
    let summaries = try await server.readers.summaries.summaries(of: [named, nameless], for: alice.userID)
    #expect(summaries[named]?.joined == 2 && summaries[named]?.heroes == nil)
    #expect(summaries[nameless]?.joined == 2 && summaries[nameless]?.invited == 1)
    #expect(summaries[nameless]?.heroes == [bob.userID, carol.userID])
  }

  @Test func accountDataIsReadWholeOrAsItChanged() async throws {
    let server = try await SyncFixture()
    let (tagged, plain) = (try await server.createRoom(), try await server.createRoom())
    let service = server.services.accountData
    try await service.set(alice.userID, type: "org.global", content: .emptyObject)
    try await service.set(alice.userID, room: plain, type: "org.room", content: .emptyObject)
    try await service.setTag(alice.userID, room: tagged, tag: "m.favourite", content: .emptyObject)
    await server.hub.waitUntilIdle()
    let point = server.services.tokens.current().accountData
    let reader = server.readers.accountData
    #expect(try await reader.global(of: alice.userID, after: nil)["org.global"] != nil)
    #expect(try await reader.global(of: alice.userID, after: point).isEmpty)
    let whole = try await reader.ofRooms(of: alice.userID, after: nil, newRooms: [])
    #expect(whole.entries[plain]?["org.room"] != nil && whole.tags[tagged]?.tags["m.favourite"] != nil)
    let unchanged = try await reader.ofRooms(of: alice.userID, after: point, newRooms: [tagged])
    #expect(unchanged.entries.isEmpty && unchanged.tags.keys.map(\.self) == [tagged])
    try await service.set(alice.userID, room: plain, type: "org.later", content: .emptyObject)
    await server.hub.waitUntilIdle()
    let changed = try await reader.ofRooms(of: alice.userID, after: point, newRooms: [])
    #expect(changed.entries.mapValues { Array($0.keys) } == [plain: ["org.later"]] && changed.tags.isEmpty)
    #expect(try await reader.pushRules(of: alice.userID, after: nil) != nil)
    let rules = server.services.tokens.current().pushRules
    #expect(try await reader.pushRules(of: alice.userID, after: rules) == nil)
  }

  @Test func typingAndReceiptsAreThoseOfTheRooms() async throws {
    let server = try await SyncFixture()
    let (one, two) = (try await server.createRoom(), try await server.createRoom())
    let start = server.services.tokens.current()
    for room in [one, two] {
      let event = try await server.say("x", room)
      try await server.services.receipts.receive(alice, room: room, type: "m.read", event: event, threadID: nil)
      server.services.typing.setTyping(alice.userID, in: room, isTyping: true, timeout: 30_000)
    }
    await server.hub.waitUntilIdle()
    let now = server.services.tokens.current()
    let reader = server.readers.ephemeral
    #expect(reader.typing(in: [one], after: nil) == [one: [alice.userID]])
    #expect(reader.typing(in: [one], after: now.typing).isEmpty)
    let receipts = try await reader.receipts(in: [two], after: start.receipt, upTo: now.receipt)
    #expect(receipts.mapValues { $0.map(\.user) } == [two: [alice.userID]])
    #expect(try await reader.receipts(in: [two], after: now.receipt, upTo: now.receipt).isEmpty)
  }

  @Test func deviceListsFollowWhoComesAndGoes() async throws {
    let server = try await SyncFixture()
    let (shared, old) = (try await server.createRoom(), try await server.createRoom(carol))
    try await server.change(.join, shared, by: bob)
    await server.hub.waitUntilIdle()
    let now = server.services.tokens.current().deviceList
    let movements = DeviceListReader.Movements(
      arrived: [], gone: [bob.userID, carol.userID], joinedRooms: [shared], leftRooms: [old])
    let changes = try await server.readers.deviceLists.changes(
      for: alice.userID, after: now, upTo: now, movements)
    #expect(changes.changed == [alice.userID, bob.userID])
    #expect(changes.left == [carol.userID], "Bob is still in another room of Alice's")
  }

  private func current(
    _ requester: Requester, _ server: SyncFixture
  ) async throws -> (rooms: [RoomForUser], upTo: StreamToken) {
    await server.hub.waitUntilIdle()
    return try await server.readers.memberships.current(of: requester.userID)
  }
}
