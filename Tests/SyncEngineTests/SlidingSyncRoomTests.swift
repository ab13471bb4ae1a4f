import MatrixPrimitives
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// What a sliding sync sends of a room.
@Suite struct SlidingSyncRoomTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob
  let carol = SyncFixture.carol

  @Test func aRoomComesWholeOnceAndThenWhatIsNew() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let body = JSON.list(state: [["m.room.create", ""], ["m.room.topic", ""]])
    let first = try await server.slide(body)
    let whole = try #require(first.slid(room))
    #expect(whole["initial"] == true && whole["limited"] == true && whole["num_live"] == 0)
    #expect(first.slidBodies(room) == ["2", "3", "4"])
    #expect(first.slidState(room) == ["m.room.create|"])
    #expect(whole["joined_count"] == 2 && whole["invited_count"] == 0)
    #expect(whole["notification_count"] == 0 && whole["highlight_count"] == 0)
    #expect(whole["heroes"]?[0]?["user_id"] == "@alice:test" && whole["heroes"]?.elements?.count == 1)
    #expect(whole["name"] == nil && whole["timeline"]?[0]?["room_id"] == nil)
    try await server.say("new", room)
    try await server.set("m.room.topic", ["topic": "Tea"], room)
    try await server.set("m.room.name", ["name": "Kitchen"], room)
    let second = try await server.slide(body, from: first.pos)
    let news = try #require(second.slid(room))
    #expect(news["initial"] == nil && news["limited"] == false && news["num_live"] == 3)
    #expect(news["timeline"]?.elements?.count == 3 && second.slidState(room) == ["m.room.topic|"])
    #expect(news["name"] == "Kitchen" && news["joined_count"] == nil && news["heroes"] == nil)
    #expect(try await server.slide(body, from: second.pos)["rooms"] == [:])
  }

  @Test func aTimelineCanBePagedBackFrom() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let answer = try await server.slide(.list(limit: 2))
    let token = try #require(answer.slid(room)?["prev_batch"]?.string)
    let from = try #require(try await server.services.token(token))
    let page = try await server.stores.events.latestEvents(roomID: room, upTo: from.room, limit: 1)
    #expect(page.events.first?.content["body"]?.string == "2")
  }

  @Test func bumpStampsAreThoseOfMessages() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let message = try #require(try await server.stores.events.event(try await server.say("bump", room)))
    try await server.set("m.room.topic", ["topic": "no bump"], room)
    let first = try await server.slide(.list(limit: 1))
    #expect(first.slid(room)?["bump_stamp"]?.integer == message.streamOrdering)
    try await server.set("m.room.topic", ["topic": "no bump either"], room)
    let second = try await server.slide(.list(limit: 1), from: first.pos)
    #expect(second.slid(room) != nil && second.slid(room)?["bump_stamp"] == nil)
    let next = try #require(try await server.stores.events.event(try await server.say("bump", room)))
    let third = try await server.slide(.list(limit: 1), from: second.pos)
    #expect(third.slid(room)?["bump_stamp"]?.integer == next.streamOrdering)
  }

  @Test func withoutATimelineThereIsNone() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let answer = try #require(try await server.slide(.list(limit: 0)).slid(room))
    for key in ["timeline", "limited", "prev_batch", "num_live"] as [Text] { #expect(answer[key] == nil) }
    #expect(answer["bump_stamp"] != nil && answer["initial"] == true)
  }

  @Test func aLongerTimelineIsSentAgain() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let first = try await server.slide(.list(limit: 1))
    let second = try await server.slide(.list(limit: 3), from: first.pos)
    #expect(second.slidBodies(room) == ["2", "3", "4"])
    #expect(second.slid(room)?["unstable_expanded_timeline"] == true && second.slid(room)?["initial"] == nil)
    #expect(second.slid(room)?["num_live"] == 0)
    // The client has the longer one still, as long as there is no gap.
    let shorter = try await server.slide(.list(limit: 1), from: second.pos)
    #expect(shorter["rooms"] == [:])
    #expect(try await server.slide(.list(limit: 3), from: shorter.pos)["rooms"] == [:])
    for text in ["a", "b"] as [Text] { try await server.say(text, room) }
    let gap = try await server.slide(.list(limit: 1), from: shorter.pos)
    #expect(gap.slid(room)?["limited"] == true)
    #expect(try await server.slide(.list(limit: 3), from: gap.pos).slidBodies(room) == ["4", "a", "b"])
  }

  // MARK: Relations to rooms

  @Test func anInvitationShowsWhatCameWithIt() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom(alice, ["name": "Tea"])
    try await server.change(.invite, room, by: alice, of: bob)
    let body = JSON.list(state: [["*", "*"]])
    let first = try await server.slide(body)
    let invite = try #require(first.slid(room))
    let types = (invite["invite_state"]?.elements ?? []).compactMap { $0["type"]?.string }
    #expect(types.contains("m.room.name") && types.last == "m.room.member")
    #expect(invite["initial"] == true)
    for key in ["timeline", "required_state", "limited", "joined_count"] as [Text] { #expect(invite[key] == nil) }
    try await server.say("unseen", room)
    #expect(try await server.slide(body, from: first.pos).slid(room)?["timeline"] == nil)
    try await server.change(.join, room, by: bob)
    let joined = try await server.slide(body, from: first.pos)
    #expect(joined.slid(room)?["initial"] == true && joined.slid(room)?["invite_state"] == nil)
    #expect(joined.slidState(room).contains("m.room.name|"))
  }

  @Test func anInvitationOfAnIgnoredUserIsNotShown() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom(alice, [:])
    try await server.change(.invite, room, by: alice, of: bob)
    _ = try await server.services.accountData.set(
      bob.userID, type: "m.ignored_user_list",
      content: try JSON.object(["ignored_users": ["@alice:test": [:]]]).document())
    #expect(try await server.slide(.list())["rooms"] == [:])
    #expect(try await server.slide(.subscription(room))["rooms"] == [:])
  }

  @Test func aKnockShowsWhatCameWithIt() async throws {
    let server = try await SyncFixture()
    let rule: JSON = ["type": "m.room.join_rules", "state_key": "", "content": ["join_rule": "knock"]]
    let room = try await server.createRoom(alice, ["initial_state": [rule]])
    try await server.change(.knock, room, by: bob)
    let knock = try #require(try await server.slide(.list()).slid(room))
    #expect(knock["invite_state"]?.elements?.last?.at("content", "membership") == "knock")
    #expect(knock["timeline"] == nil)
  }

  @Test func aRoomThatWasLeftComesOnceMore() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let body = JSON.list(state: [["m.room.member", "$ME"], ["m.room.topic", ""]])
    let first = try await server.slide(body)
    try await server.change(.leave, room, by: bob)
    try await server.say("unseen", room)
    try await server.set("m.room.topic", ["topic": "unseen"], room)
    let left = try await server.slide(body, from: first.pos)
    let timeline = left.slid(room)?["timeline"]?.elements ?? []
    #expect(timeline.count == 1 && timeline.last?.at("content", "membership") == "leave")
    #expect(left.slidState(room) == ["m.room.member|@bob:test"])
    #expect(left.slid(room)?["joined_count"] == nil)
    #expect(left.listed == [room.rawValue])
    let after = try await server.slide(body, from: left.pos)
    #expect(after.listed == [] && after["rooms"] == [:])
    // Who subscribes sees as far as the stay went.
    let seen = try await server.slide(.subscription(room, state: [["m.room.topic", ""]]))
    #expect(seen.slid(room)?["timeline"]?.elements?.last?.at("content", "membership") == "leave")
    #expect(seen.slidState(room) == [])
  }

  @Test(arguments: [MembershipAction.kick, .ban])
  func aRoomOutOfWhichTheUserWasPutStaysUntilItIsForgotten(_ action: MembershipAction) async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    try await server.change(action, room, by: alice, of: bob)
    try await server.say("unseen", room)
    let first = try await server.slide(.list(limit: 1, state: [["m.room.create", ""]]))
    let timeline = first.slid(room)?["timeline"]?.elements ?? []
    #expect(timeline.map { $0["state_key"] } == ["@bob:test"])
    #expect(first.slidState(room) == ["m.room.create|"])
    try await server.say("unseen", room)
    let second = try await server.slide(.list(limit: 1, state: [["m.room.create", ""]]), from: first.pos)
    #expect(second["rooms"] == [:] && second.listed == [room.rawValue])
    try await server.stores.memberships.forget(bob.userID, room)
    #expect(try await server.slide(.list()).listed == [])
  }

  @Test func aRoomThatIsJoinedAgainComesWhole() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let first = try await server.slide(.list(limit: 2))
    try await server.change(.leave, room, by: bob)
    try await server.change(.join, room, by: bob)
    let again = try await server.slide(.list(limit: 2), from: first.pos)
    #expect(again.slid(room)?["initial"] == true)
    #expect(again.slid(room)?["timeline"]?.elements?.last?.at("content", "membership") == "join")
  }

  @Test func historyThatTheUserMayNotSeeIsNotSent() async throws {
    let server = try await SyncFixture()
    let visibility: JSON = [
      "type": "m.room.history_visibility", "state_key": "", "content": ["history_visibility": "joined"],
    ]
    let room = try await server.createRoom(alice, ["preset": "public_chat", "initial_state": [visibility]])
    try await server.say("before", room)
    try await server.change(.join, room, by: bob)
    try await server.say("after", room)
    #expect(try await server.slide(.list(limit: 50)).slidBodies(room) == ["after"])
  }

  @Test func aRoomOfOthersCannotBeSubscribedTo() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let answer = try await server.slide(.subscription(room, state: [["*", "*"]]))
    #expect(answer["rooms"] == [:])
    let none = try await server.slide(.subscription(RoomID(unchecked: "!none:test")))
    #expect(none["rooms"] == [:])
  }

  // MARK: Members

  @Test func membersAreLoadedLazily() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    try await server.change(.join, room, by: carol)
    try await server.say("1", room, alice)
    let body = JSON.list(limit: 1, state: [["m.room.member", "$LAZY"], ["m.room.member", "$ME"]])
    let first = try await server.slide(body)
    #expect(first.slidState(room) == ["m.room.member|@alice:test", "m.room.member|@bob:test"])
    try await server.say("2", room, alice)
    let second = try await server.slide(body, from: first.pos)
    #expect(second.slidBodies(room) == ["2"] && second.slidState(room) == [], "Alice is known")
    try await server.say("3", room, carol)
    let third = try await server.slide(body, from: second.pos)
    #expect(third.slidState(room) == ["m.room.member|@carol:test"])
    try await server.say("4", room, carol)
    let fourth = try await server.slide(body, from: third.pos)
    #expect(fourth.slidState(room) == [], "so is Carol")
    // Of an answer that did not arrive nothing is known.
    let dora = SyncFixture.requester("dora")
    try await server.change(.join, room, by: dora)
    try await server.say("5", room, dora)
    for _ in 0..<2 {
      #expect(try await server.slide(body, from: fourth.pos).slidState(room) == ["m.room.member|@dora:test"])
    }
  }

  @Test func aChangedMemberIsSentWithoutAGapAndForgottenBehindOne() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    try await server.change(.join, room, by: carol)
    try await server.say("1", room, carol)
    let body = JSON.list(limit: 1, state: [["m.room.member", "$LAZY"]])
    let first = try await server.slide(body)
    #expect(first.slidState(room) == ["m.room.member|@carol:test"])
    try await server.change(.leave, room, by: carol)
    let second = try await server.slide(body, from: first.pos)
    #expect(second.slidState(room) == ["m.room.member|@carol:test"])
    #expect(second.slid(room)?["joined_count"] == 2)
    try await server.change(.join, room, by: carol)
    for text in ["a", "b"] as [Text] { try await server.say(text, room, alice) }
    let gap = try await server.slide(body, from: second.pos)
    #expect(gap.slid(room)?["limited"] == true && gap.slidState(room) == ["m.room.member|@alice:test"])
    try await server.say("c", room, carol)
    #expect(try await server.slide(body, from: gap.pos).slidState(room) == ["m.room.member|@carol:test"])
  }

  @Test func moreStateIsSentWhenItIsWantedAndNotTwice() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    try await server.set("m.room.topic", ["topic": "a"], room)
    let (little, more): (JSON, JSON) = ([["m.room.create", ""]], [["m.room.create", ""], ["m.room.topic", ""]])
    let first = try await server.slide(.list(state: little))
    #expect(first.slidState(room) == ["m.room.create|"])
    let second = try await server.slide(.list(state: more), from: first.pos)
    #expect(second.slidState(room) == ["m.room.topic|"])
    let third = try await server.slide(.list(state: little), from: second.pos)
    let fourth = try await server.slide(.list(state: more), from: third.pos)
    #expect(third["rooms"] == [:] && fourth["rooms"] == [:])
    let fifth = try await server.slide(.list(state: little), from: fourth.pos)
    try await server.set("m.room.topic", ["topic": "b"], room)
    let sixth = try await server.slide(.list(state: little), from: fifth.pos)
    #expect(sixth.slidState(room) == [])
    #expect(try await server.slide(.list(state: more), from: sixth.pos).slidState(room) == ["m.room.topic|"])
    let all = try await server.slide(.list(state: [["*", "*"]]), from: sixth.pos)
    #expect(all.slidState(room).isSuperset(of: ["m.room.create|", "m.room.power_levels|", "m.room.member|@bob:test"]))
  }
}
