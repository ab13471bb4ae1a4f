import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import Stores
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite(.serialized) struct RelationTests {
  private static func relation(_ type: Text, _ event: EventID, key: Text? = nil) -> JSON {
    var members: [Text: JSON] = ["rel_type": .string(type), "event_id": .string(event.rawValue)]
    if let key { members["key"] = .string(key) }
    return .object(members)
  }

  @Test(arguments: [RoomVersion.v10, .v11])
  func aRedactionHidesTheContentAndEndsTheRelation(version: RoomVersion) async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom(version: version)
    let target = try await room.send(
      .message("secret"),
      pushActions: [
        PushAction(userIDs: [Users.bob], actions: ["notify"], notify: true, highlight: false, unread: false)
      ])
    let reaction = try await room.send(
      Sending("m.reaction", nil, Users.alice, ["m.relates_to": Self.relation("m.annotation", target.eventID, key: "x")])
    )
    #expect(
      try await fixture.lines("SELECT event_id, relates_to_id, relation_type, aggregation_key FROM event_relations")
        == ["\(reaction.eventID)|\(target.eventID)|m.annotation|x"])
    #expect(
      try await fixture.lines("SELECT user_id, notif, highlight, thread_id FROM event_push_actions")
        == ["@bob:test.example|1|0|main"])
    for id in [target.eventID, reaction.eventID] {
      var metadata = EventMetadata()
      metadata.recheckRedaction = false
      try await room.send(Sending("m.room.redaction", nil, Users.alice, [:], redacts: id), metadata: metadata)
    }
    let hidden = try #require(try await fixture.stores.events.event(target.eventID))
    #expect(hidden.content["body"] == nil && hidden.redactedBecause?.type == "m.room.redaction")
    #expect(try await fixture.stores.events.unredactedEvent(target.eventID)?.content["body"]?.string == "secret")
    #expect(try await fixture.lines("SELECT 1 FROM event_relations").isEmpty)
    #expect(try await fixture.lines("SELECT 1 FROM event_push_actions").isEmpty)
    #expect(
      try await fixture.lines("SELECT redacts, have_censored, recheck FROM redactions ORDER BY received_ts, redacts")
        .sorted() == ["\(reaction.eventID)|f|f", "\(target.eventID)|f|f"].sorted())
    #expect(
      try await fixture.lines(
        "SELECT keys FROM cache_invalidation_stream_by_instance WHERE cache_func = 'get_relations_for_event'")
        == ["{\(room.roomID),\(target.eventID)}"])
    // Read anew, the event is redacted as well.
    let restarted = try await PersisterFixture.on(fixture.database)
    #expect(try await restarted.stores.events.event(target.eventID)?.redactedBecause != nil)
  }

  @Test func aRelationThatAnIndexCannotHoldIsNone() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let target = try await room.send(.message("here"))
    // Text that compresses would fit.
    let long = (0..<9_000).map { Text(String($0 * 2_654_435_761 % 65_536, radix: 36)) }.joined()
    for relation in [
      Self.relation(long, target.eventID), Self.relation("m.x", EventID(unchecked: "$" + long)),
      Self.relation("m.x\0", target.eventID),
    ] {
      try await room.send(Sending("m.x", nil, Users.alice, ["m.relates_to": relation]))
    }
    #expect(try await fixture.lines("SELECT 1 FROM event_relations").isEmpty)
    try await room.send(
      Sending(
        "m.reaction", nil, Users.alice, ["m.relates_to": Self.relation("m.annotation", target.eventID, key: long)]))
    #expect(
      try await fixture.lines("SELECT relates_to_id, aggregation_key FROM event_relations") == ["\(target.eventID)"])
  }

  @Test func aRedactionOfAnotherServerMustBeOfTheSendersServer() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let target = try await room.send(.message("stays"))
    var metadata = EventMetadata()
    metadata.recheckRedaction = true
    try await room.send(
      Sending("m.room.redaction", nil, Users.remote, [:], redacts: target.eventID), metadata: metadata)
    #expect(try await fixture.stores.events.event(target.eventID)?.redactedBecause == nil)
    try await room.send(
      Sending("m.room.redaction", nil, Users.bob, [:], redacts: target.eventID), metadata: metadata)
    #expect(try await fixture.stores.events.event(target.eventID)?.redactedBecause?.sender == Users.bob)
  }

  @Test func aThreadKnowsItsNewestEvent() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let root = try await room.send(.message("root"))
    func reply(_ body: Text) -> Sending {
      Sending(
        "m.room.message", nil, Users.alice,
        ["body": .string(body), "m.relates_to": Self.relation("m.thread", root.eventID)])
    }
    let replies = try await room.sendBatch([reply("one"), reply("two")])
    let sql: SQL = "SELECT thread_id, latest_event_id, stream_ordering FROM threads"
    #expect(
      try await fixture.lines(sql) == ["\(root.eventID)|\(replies[1].eventID)|\(replies[1].streamOrdering)"])
    try await room.send(Sending("m.room.redaction", nil, Users.alice, [:], redacts: replies[1].eventID))
    #expect(
      try await fixture.lines(sql) == ["\(root.eventID)|\(replies[0].eventID)|\(replies[0].streamOrdering)"])
    try await room.send(Sending("m.room.redaction", nil, Users.alice, [:], redacts: replies[0].eventID))
    #expect(try await fixture.lines(sql).isEmpty)
  }

  @Test func stagedPushActionsAreMoved() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let (event, context) = try await room.make(.message("ping"))
    let action = PushAction(
      userIDs: [Users.bob, Users.carol], actions: ["notify", ["set_tweak": "highlight", "value": false]], notify: true,
      highlight: false, unread: false, threadID: "main")
    try await fixture.stores.pushActions.stage(event.eventID, [action], now: 5)
    let stored = try await fixture.persister.persist(
      [PersistableEvent(event: event, context: context)], roomID: room.roomID)[0]
    #expect(try await fixture.lines("SELECT 1 FROM event_push_actions_staging").isEmpty)
    #expect(
      try await fixture.lines(
        "SELECT user_id, actions, stream_ordering, topological_ordering, notif, unread FROM event_push_actions ORDER BY user_id"
      )
        == ["@bob", "@carol"].map { "\($0):test.example||\(stored.streamOrdering)|\(stored.depth)|1|0" })
  }
}
