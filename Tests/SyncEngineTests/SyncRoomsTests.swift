import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Testing

@testable import SyncEngine

@Suite struct SyncRoomsTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob

  @Test func anInitialSyncShowsRoomsWithStateAndTimeline() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom(alice, ["preset": "public_chat", "name": "Den"])
    for number in 0..<15 { try await server.say("m\(number)", room) }
    let answer = try await server.sync()
    #expect(answer.bodies(room) == (5..<15).map { "m\($0)" })
    #expect(answer.joined(room)?.at("timeline", "limited") == true)
    let state = answer.joined(room)?.keys("state") ?? []
    #expect(
      state.isSuperset(of: ["m.room.create|", "m.room.member|@alice:test", "m.room.name|", "m.room.join_rules|"]))
    #expect(answer.at("account_data", "events")?.elements?.contains { $0["type"] == "m.push_rules" } == true)
    #expect(answer["device_unused_fallback_key_types"] == [])
    #expect(answer.at("device_one_time_keys_count", "signed_curve25519") == 0)
  }

  @Test func aShortRoomIsNotLimitedAndItsStateIsNotTwice() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let answer = try await server.sync(filter: ["room": ["timeline": ["limit": 50]]])
    #expect(answer.joined(room)?.at("timeline", "limited") == false)
    #expect(answer.joined(room)?.at("state", "events") == [])
    #expect(answer.joined(room)?.keys("timeline").contains("m.room.create|") == true)
  }

  @Test func anIncrementalSyncShowsOnlyNews() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let quiet = try await server.createRoom()
    let first = try await server.sync()
    try await server.say("new", room)
    let second = try await server.sync(since: first.next)
    #expect(second.bodies(room) == ["new"])
    #expect(second.joined(room)?.at("state", "events") == [])
    #expect(second.joined(room)?.at("timeline", "limited") == false)
    #expect(second.joined(quiet) == nil)
    let third = try await server.sync(since: second.next)
    #expect(third["rooms"] == nil)
    #expect(third.next == second.next)
  }

  @Test func aGapIsLimitedAndBringsTheStateThatChangedInIt() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync()
    try await server.set("m.room.topic", ["topic": "hidden in the gap"], room)
    for number in 0..<5 { try await server.say("m\(number)", room) }
    let filter: JSON = ["room": ["timeline": ["limit": 3]]]
    let second = try await server.sync(since: first.next, filter: filter)
    #expect(second.bodies(room) == ["m2", "m3", "m4"])
    #expect(second.joined(room)?.at("timeline", "limited") == true)
    #expect(second.joined(room)?.keys("state") == ["m.room.topic|"])
    let previous = try #require(second.joined(room)?.at("timeline", "prev_batch")?.string)
    let token = try #require(try await StreamToken.parse(previous, directory: server.stores.context.instances))
    let page = try await server.rooms.history.messages(
      room: room, from: token, to: nil, direction: .backward, limit: 3, filter: EventFilter(), requester: alice)
    #expect(page.chunk.compactMap { $0.stored.content["body"]?.string } == ["m1", "m0"])
  }

  @Test func stateThatTheFilterKeepsOutOfTheTimelineComesAsState() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync()
    try await server.set("m.room.topic", ["topic": "t"], room)
    try await server.say("m", room)
    let second = try await server.sync(
      since: first.next, filter: ["room": ["timeline": ["types": ["m.room.mess*"]]]])
    #expect(second.bodies(room) == ["m"])
    #expect(second.joined(room)?.keys("timeline") == ["m.room.message|-"])
    #expect(second.joined(room)?.keys("state") == ["m.room.topic|"])
  }

  @Test func joiningInvitingAndLeavingMoveARoomBetweenSections() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom(alice, ["preset": "private_chat", "name": "Den"])
    let first = try await server.sync(bob)
    #expect(first["rooms"] == nil)
    try await server.change(.invite, room, by: alice, of: bob)
    let invited = try await server.sync(bob, since: first.next)
    let stripped = try #require(invited.at("rooms", "invite", room.rawValue)?.keys("invite_state"))
    #expect(stripped.isSuperset(of: ["m.room.name|", "m.room.member|@bob:test"]))
    #expect(invited.joined(room) == nil)

    try await server.change(.join, room, by: bob)
    try await server.say("hello", room)
    let joined = try await server.sync(bob, since: invited.next)
    #expect(joined.bodies(room) == ["hello"])
    #expect(joined.joined(room)?.at("timeline", "limited") == true)
    let known = (joined.joined(room)?.keys("state") ?? []).union(joined.joined(room)?.keys("timeline") ?? [])
    #expect(known.isSuperset(of: ["m.room.create|", "m.room.name|", "m.room.member|@alice:test"]))
    #expect(joined.at("rooms", "invite") == nil)

    try await server.change(.leave, room, by: bob)
    try await server.say("behind your back", room)
    let left = try await server.sync(bob, since: joined.next)
    let gone = try #require(left.at("rooms", "leave", room.rawValue))
    #expect(gone.keys("timeline") == ["m.room.member|@bob:test"])
    #expect(left.joined(room) == nil)
    let after = try await server.sync(bob, since: left.next)
    #expect(after["rooms"] == nil)
    #expect(try await server.sync(bob)["rooms"] == nil)
    let archive = try await server.sync(bob, filter: ["room": ["include_leave": true]])
    let seen = try #require(archive.at("rooms", "leave", room.rawValue))
    #expect(seen.keys("state").union(seen.keys("timeline")).contains("m.room.name|"))
  }

  @Test func bannedUsersSeeTheBanWithoutAsking() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let first = try await server.sync(bob)
    try await server.change(.ban, room, by: alice, of: bob)
    let second = try await server.sync(bob, since: first.next)
    #expect(second.at("rooms", "leave", room.rawValue)?.keys("timeline") == ["m.room.member|@bob:test"])
    #expect(try await server.sync(bob).at("rooms", "leave", room.rawValue) != nil)
  }

  @Test func historyBeforeTheJoinIsHiddenWhereTheRoomSaysSo() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.set("m.room.history_visibility", ["history_visibility": "joined"], room)
    try await server.say("secret", room)
    try await server.change(.join, room, by: bob)
    try await server.say("public", room)
    #expect(try await server.sync(bob).bodies(room) == ["public"])
    #expect(try await server.sync(alice).bodies(room) == ["secret", "public"])
  }

  @Test func fullStateBringsEveryRoomAgain() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync()
    let second = try await server.sync(since: first.next, fullState: true)
    let known = (second.joined(room)?.keys("state") ?? []).union(second.joined(room)?.keys("timeline") ?? [])
    #expect(known.contains("m.room.create|"))
  }

  @Test func filteredRoomsStayOut() async throws {
    let server = try await SyncFixture()
    let (one, two) = (try await server.createRoom(), try await server.createRoom())
    let answer = try await server.sync(filter: ["room": ["not_rooms": [.string(one.rawValue)]]])
    #expect(answer.joined(one) == nil && answer.joined(two) != nil)
    #expect(try await server.sync(filter: ["room": ["rooms": []]])["rooms"] == nil)
  }

  @Test func ignoredUsersAreNotHeard() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let first = try await server.sync()
    try await server.services.accountData.set(
      alice.userID, type: "m.ignored_user_list",
      content: try JSON.object(["ignored_users": ["@bob:test": [:]]]).document())
    try await server.say("noise", room, bob)
    try await server.say("signal", room)
    #expect(try await server.sync(since: first.next).bodies(room) == ["signal"])
    let elsewhere = try await server.createRoom(bob, ["preset": "private_chat"])
    try await server.change(.invite, elsewhere, by: bob, of: alice)
    #expect(try await server.sync(since: first.next).at("rooms", "invite") == nil)
  }

  @Test func theSenderGetsItsTransactionID() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync()
    _ = try await server.rooms.submitter.submit(
      ClientEventDraft(
        roomID: room, type: "m.room.message", content: ["msgtype": "m.text", "body": "x"], transactionID: "txn"),
      requester: alice)
    let event = try await server.sync(since: first.next).joined(room)?.at("timeline", "events")?[0]
    #expect(event?.at("unsigned", "transaction_id") == "txn")
    #expect(event?["room_id"] == nil)
  }

  @Test func onlyTheSelectedFieldsAreSent() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync()
    try await server.say("short", room)
    let answer = try await server.sync(since: first.next, filter: ["event_fields": ["content.body", "type"]])
    #expect(
      answer.joined(room)?.at("timeline", "events") == [["content": ["body": "short"], "type": "m.room.message"]])
  }

  @Test func theFullStateComesWithATimelineSinceTheToken() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync()
    try await server.say("news", room)
    let answer = try await server.sync(since: first.next, fullState: true)
    let timeline = try #require(answer.joined(room)?.at("timeline", "events")?.elements)
    #expect(timeline.map { $0.at("content", "body")?.string } == ["news"])
    let state = try #require(answer.joined(room)?.at("state", "events")?.elements)
    #expect(state.contains { $0["type"] == "m.room.create" } && state.contains { $0["type"] == "m.room.member" })
  }

  @Test func theFederationFormatHasWhatServersLinkEventsBy() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let answer = try await server.sync(filter: ["event_format": "federation"])
    let events = try #require(answer.joined(room)?.at("timeline", "events")?.elements)
    let wanted = ["event_id", "signatures", "auth_events", "unsigned"]
    #expect(!events.isEmpty && events.allSatisfy { event in wanted.allSatisfy { event[$0] != nil } })
  }
}
