import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// What is kept in memory for reading must never be older than what has happened.
@Suite struct SyncMemoryTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob

  @Test func aSecondInitialSyncAsksTheDatabaseForNextToNothing() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.say("one", room)
    _ = try await server.sync()
    await server.stores.events.ids.flush()  // Otherwise the note of the writer's position may fall into the count.
    let before = server.database.client.statistics.queries
    let answer = try await server.sync()
    let after = server.database.client.statistics.queries
    #expect(answer.bodies(room) == ["one"])
    #expect(after - before <= 2, "only receipts and messages for the device are asked for")
  }

  @Test func initialSyncsFollowTheRoom() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let message = try await server.say("first", room)
    let topic = try await server.set("m.room.topic", ["topic": "old"], room)
    for number in 0..<12 { try await server.say("\(number)", room) }
    #expect(try await topicOf(room, server) == "old")
    try await server.say("last", room)
    try await server.change(.join, room, by: bob)
    var answer = try await server.sync()
    #expect(answer.bodies(room).last == "last")
    #expect(answer.keys("rooms", "join", room.rawValue, "timeline").contains("m.room.member|@bob:test"))
    #expect(!answer.keys("rooms", "join", room.rawValue, "state").contains("m.room.member|@bob:test"))
    try await redact(topic, room, server)
    for number in 0..<12 { try await server.say("\(number)", room) }
    #expect(try await topicOf(room, server) == nil)
    try await server.set("m.room.topic", ["topic": "new"], room)
    for number in 0..<12 { try await server.say("\(number)", room) }
    #expect(try await topicOf(room, server) == "new")
    answer = try await server.sync()
    #expect(answer.keys("rooms", "join", room.rawValue, "state").contains("m.room.member|@bob:test"))
    #expect(!answer.bodies(room).contains("first"))
    try await redact(message, room, server)
  }

  @Test func editsAndThreadsAppearOnEventsThatHadNone() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let message = try await server.say("first", room)
    #expect(try await relations(of: message, room, server) == nil)
    #expect(try await relations(of: message, room, server) == nil)
    try await server.say(
      "reply", room, extra: ["m.relates_to": ["rel_type": "m.thread", "event_id": .string(message.rawValue)]])
    #expect(try await relations(of: message, room, server)?.at("m.thread", "count") == 1)
  }

  @Test func unreadCountsAreCountedAgainWhenThereIsNews() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    #expect(try await unread(room, server) == 0)
    let message = try await server.say("one", room)
    #expect(try await unread(room, server) == 1)
    #expect(try await unread(room, server) == 1)
    try await server.services.receipts.receive(bob, room: room, type: "m.read", event: message, threadID: nil)
    #expect(try await unread(room, server) == 0)
  }

  @Test func nothingNewIsAnsweredWithoutAComputation() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync()
    let answer = try #require(try await answerWithoutNews(server, first.next))
    #expect(answer.next == first.next)
    #expect(answer["rooms"] == nil)
    #expect(answer.at("device_one_time_keys_count", "signed_curve25519") == 0)
    try await server.say("news", room)
    await server.hub.waitUntilIdle()
    #expect(try await answerWithoutNews(server, first.next) == nil)
  }

  // MARK: Shorthand

  private func topicOf(_ room: RoomID, _ server: SyncFixture) async throws -> Text? {
    let events = try await server.sync().joined(room)?.at("state", "events")?.elements
    return events?.first { $0["type"] == "m.room.topic" }?.at("content", "topic")?.string
  }

  private func relations(of id: EventID, _ room: RoomID, _ server: SyncFixture) async throws -> JSON? {
    let events = try await server.sync().joined(room)?.at("timeline", "events")?.elements
    return events?.first { $0["event_id"]?.string == id.rawValue }?.at("unsigned", "m.relations")
  }

  private func unread(_ room: RoomID, _ server: SyncFixture) async throws -> Int64? {
    try await server.sync(bob).joined(room)?.at("unread_notifications", "notification_count")?.integer
  }

  private func redact(_ id: EventID, _ room: RoomID, _ server: SyncFixture) async throws {
    _ = try await server.rooms.submitter.submit(
      ClientEventDraft(roomID: room, type: "m.room.redaction", content: [:], redacts: id), requester: alice)
  }

  private func answerWithoutNews(_ server: SyncFixture, _ since: Text) async throws -> JSON? {
    let token = try await StreamToken.parse(since, directory: server.stores.context.instances)
    let request = SyncRequest(
      requester: alice, since: token, sinceText: since, filter: .none, filterText: nil, timeoutMilliseconds: 0,
      wantsFullState: false)
    return try await server.services.sync.answerWithoutNews(request).map { try JSON.parse($0) }
  }
}
