import MatrixPrimitives
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// The state section that leads to the state after the timeline (`use_state_after`).
@Suite struct SyncStateAfterTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob
  let carol = SyncFixture.carol
  let short: JSON = ["room": ["timeline": ["limit": 1]]]

  private func events(_ answer: JSON, _ room: RoomID, _ section: Text = "state_after", in part: Text = "join") -> [JSON]
  {
    answer.at("rooms", part, room.rawValue, section, "events")?.elements ?? []
  }

  @Test func aFirstSyncHasTheStateThatIsNow() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.set("m.room.topic", ["topic": "old"], room)
    try await server.set("m.room.topic", ["topic": "new"], room)
    let after = try await server.sync(filter: short, state: .after)
    #expect(after.joined(room)?["state"] == nil)
    let topics = events(after, room).filter { $0["type"] == "m.room.topic" }
    #expect(topics.map { $0.at("content", "topic") } == ["new"])
    let before = try await server.sync(filter: short)
    #expect(events(before, room, "state").contains { $0.at("content", "topic") == "old" })
    #expect(before.joined(room)?["state_after"] == nil)
    let unstable = try await server.sync(filter: short, state: .unstableAfter)
    #expect(!events(unstable, room, "org.matrix.msc4222.state_after").isEmpty)
  }

  @Test func laterSyncsHaveWhatChangedAlsoWhereTheTimelineShowsIt() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync(state: .after)
    try await server.set("m.room.topic", ["topic": "one"], room)
    try await server.set("m.room.topic", ["topic": "two"], room)
    let second = try await server.sync(since: first.next, state: .after)
    #expect(events(second, room).map { $0.at("content", "topic") } == ["two"])
    #expect(second.joined(room)?.at("timeline", "events")?.elements?.count == 2)
    try await server.say("nothing of the state", room)
    let third = try await server.sync(since: second.next, state: .after)
    #expect(events(third, room).isEmpty && third.bodies(room) == ["nothing of the state"])
  }

  @Test func aTimelineThatIsCutChangesNothing() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync(state: .after)
    try await server.set("m.room.name", ["name": "Den"], room)
    for number in 0..<4 { try await server.say("\(number)", room) }
    let second = try await server.sync(since: first.next, filter: short, state: .after)
    #expect(second.joined(room)?.at("timeline", "limited") == true)
    #expect(events(second, room).map { $0["type"] } == ["m.room.name"])
  }

  @Test func lazyMembersComeThoughTheTimelineShowsThem() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom(alice, ["preset": "public_chat", "name": "Den"])
    let lazy: JSON = ["room": ["state": ["lazy_load_members": true]]]
    let first = try await server.sync(filter: lazy, state: .after)
    try await server.change(.join, room, by: bob)
    try await server.say("hello", room, bob)
    let second = try await server.sync(since: first.next, filter: lazy, state: .after)
    #expect(events(second, room).map { $0["state_key"] } == ["@bob:test"])
    try await server.say("again", room, bob)
    let third = try await server.sync(since: second.next, filter: lazy, state: .after)
    #expect(events(third, room).isEmpty, "the member was sent")
  }

  @Test func aRoomThatWasLeftEndsWithTheLeave() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let first = try await server.sync(bob, state: .after)
    try await server.set("m.room.topic", ["topic": "seen"], room)
    try await server.change(.kick, room, by: alice, of: bob)
    try await server.set("m.room.topic", ["topic": "not seen"], room)
    let second = try await server.sync(bob, since: first.next, state: .after)
    let left = events(second, room, in: "leave")
    #expect(left.contains { $0.at("content", "topic") == "seen" })
    #expect(!left.contains { $0.at("content", "topic") == "not seen" })
    #expect(left.contains { $0["state_key"] == "@bob:test" && $0.at("content", "membership") == "leave" })
    let all: JSON = ["room": ["include_leave": true, "timeline": ["limit": 1]]]
    let initial = events(try await server.sync(bob, filter: all, state: .after), room, in: "leave")
    #expect(initial.contains { $0["state_key"] == "@bob:test" && $0.at("content", "membership") == "leave" })
    #expect(initial.contains { $0.at("content", "topic") == "seen" })
  }

  @Test func anInvitationThatEndsLeavesTheMembership() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom(alice, ["preset": "private_chat"])
    try await server.change(.invite, room, by: alice, of: carol)
    let first = try await server.sync(carol, state: .after)
    try await server.change(.leave, room, by: carol)
    let second = try await server.sync(carol, since: first.next, state: .after)
    let left = events(second, room, in: "leave")
    #expect(left.map { $0["state_key"] } == ["@carol:test"] && left.first?.at("content", "membership") == "leave")
  }

  @Test func bothFormsHaveAnswersOfTheirOwn() async throws {
    let server = try await SyncFixture(answersKeptFor: "2m")
    let room = try await server.createRoom()
    let first = try await server.sync()
    try await server.set("m.room.topic", ["topic": "x"], room)
    let before = try await server.sync(since: first.next)
    let after = try await server.sync(since: first.next, state: .after)
    #expect(events(before, room, "state").isEmpty && events(after, room).count == 1)
  }

  @Test func unreadCountsComeWhereTheyAreSwitchedOn() async throws {
    let server = try await SyncFixture(
      settings: "experimental_features: {msc2654_enabled: true, msc3773_enabled: true}")
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let first = try await server.sync(bob)
    let root = try await server.say("root", room)
    try await server.say(
      "reply", room, extra: ["m.relates_to": ["rel_type": "m.thread", "event_id": .string(root.rawValue)]])
    let second = try await server.sync(bob, since: first.next)
    #expect(second.joined(room)?["org.matrix.msc2654.unread_count"] == 2)
    #expect(second.joined(room)?["org.matrix.msc3773.unread_thread_notifications"] == nil)
    let threads: JSON = ["room": ["timeline": ["org.matrix.msc3773.unread_thread_notifications": true]]]
    let third = try await server.sync(bob, since: first.next, filter: threads)
    #expect(third.joined(room)?["org.matrix.msc2654.unread_count"] == 1)
    #expect(
      third.joined(room)?.at("org.matrix.msc3773.unread_thread_notifications", root.rawValue, "notification_count") == 1
    )
    #expect(third.joined(room)?.at("unread_thread_notifications", root.rawValue, "notification_count") == 1)
    let without = try await SyncFixture()
    let other = try await without.createRoom()
    #expect(try await without.sync().joined(other)?["org.matrix.msc2654.unread_count"] == nil)
  }
}
