import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import Stores
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

/// Relations that are shown together with their parents. The rules themselves are proven by `EventRelationTests`.
@Suite(.serialized) struct AggregationTests {
  private static func related(
    _ kind: Text, _ parent: EventID, _ sender: UserID = Users.alice, type: Text = EventType.message,
    stateKey: Text? = nil, content: [Text: JSON] = [:]
  ) -> Sending {
    let relation: JSON = ["event_id": .string(parent.rawValue), "key": "+", "rel_type": .string(kind)]
    return Sending(type, stateKey, sender, .object(content.merging(["m.relates_to": relation]) { $1 }))
  }

  private static let new: [Text: JSON] = ["body": "* new", "m.new_content": ["body": "new"]]

  private static func shown(
    _ event: StoredEvent, _ fixture: PersisterFixture, to reader: UserID = Users.alice
  ) async throws -> BundledAggregations? {
    let current = try #require(try await fixture.stores.events.event(event.eventID))
    let reading = AggregationReader(
      stores: fixture.stores, accountData: fixture.users.accountData, access: RoomAccess(stores: fixture.stores),
      visibility: VisibilityFilter(
        stores: fixture.stores, accountData: fixture.users.accountData,
        deactivations: fixture.accounts.deactivations, state: fixture.state))
    return try await reading.read([current], for: reader)[event.eventID]
  }

  @Test func whoHasLeftSeesWhatCameBefore() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    try await room.send(Sending("m.room.member", Users.bob.rawValue, Users.bob, ["membership": "join"]))
    let original = try await room.send(.message("old"))
    let edit = try await room.send(Self.related(EventRelation.Kind.replacement, original.eventID, content: Self.new))
    let reply = try await room.send(Self.related(EventRelation.Kind.thread, original.eventID))
    try await room.send(Sending("m.room.member", Users.bob.rawValue, Users.bob, ["membership": "leave"]))
    for _ in 0...RelationStore.greatestEditCount {
      try await room.send(Self.related(EventRelation.Kind.replacement, original.eventID, content: Self.new))
    }
    let later = try await room.send(Self.related(EventRelation.Kind.thread, original.eventID))
    let reference = try await room.send(Self.related(EventRelation.Kind.reference, original.eventID))
    let gone = try #require(try await Self.shown(original, fixture, to: Users.bob))
    #expect(gone.edit?.eventID == edit.eventID && gone.thread?.latest.eventID == reply.eventID)
    #expect(gone.thread?.count == 1 && gone.thread?.hasParticipated == false && gone.references.isEmpty)
    let present = try #require(try await Self.shown(original, fixture))
    #expect(present.edit != nil && present.thread?.latest.eventID == later.eventID)
    #expect(present.thread?.count == 2 && present.references == [reference.eventID])
    #expect(try await Self.shown(original, fixture, to: UserID(unchecked: "@stranger:test.example")) == nil)
  }

  @Test func onlyEditsThatBreakNoRuleCount() async throws {
    let fixture = try await PersisterFixture.make()
    let (room, other) = (try await fixture.makeRoom(), try await fixture.makeRoom())
    try await room.send(Sending("m.room.member", Users.bob.rawValue, Users.bob, ["membership": "join"]))
    let original = try await room.send(.message("old"))
    let kind = EventRelation.Kind.replacement
    try await room.send(Self.related(kind, original.eventID, Users.bob, content: Self.new))
    try await room.send(Self.related(kind, original.eventID, type: "m.sticker", content: Self.new))
    try await room.send(Self.related(kind, original.eventID, stateKey: "", content: Self.new))
    try await room.send(Self.related(kind, original.eventID, content: ["body": "* says nothing"]))
    try await other.send(Self.related(kind, original.eventID, content: Self.new))
    #expect(try await Self.shown(original, fixture)?.edit == nil)
    let edit = try await room.send(Self.related(kind, original.eventID, content: Self.new))
    #expect(try await Self.shown(original, fixture)?.edit?.eventID == edit.eventID)
    try await room.send(Self.related(kind, original.eventID, content: ["body": "* says nothing either"]))
    #expect(try await Self.shown(original, fixture)?.edit?.eventID == edit.eventID)
    try await room.send(Self.related(kind, edit.eventID, content: Self.new))
    #expect(try await Self.shown(edit, fixture) == nil)
    let stateChange = try await room.send(Sending("m.room.topic", "", Users.alice, ["topic": "x"]))
    try await room.send(Self.related(kind, stateChange.eventID, type: "m.room.topic", content: Self.new))
    #expect(try await Self.shown(stateChange, fixture) == nil)
  }

  @Test func referencesAndThreadsStayInTheirRoom() async throws {
    let fixture = try await PersisterFixture.make()
    let (room, other) = (try await fixture.makeRoom(), try await fixture.makeRoom())
    let root = try await room.send(.message("root"))
    for kind in [EventRelation.Kind.reference, EventRelation.Kind.thread] {
      try await other.send(Self.related(kind, root.eventID))
    }
    #expect(try await Self.shown(root, fixture) == nil)
    let reference = try await room.send(Self.related(EventRelation.Kind.reference, root.eventID))
    let reply = try await room.send(Self.related(EventRelation.Kind.thread, root.eventID))
    let shown = try await Self.shown(root, fixture)
    #expect(shown?.references == [reference.eventID])
    #expect(shown?.thread?.latest.eventID == reply.eventID && shown?.thread?.count == 1)
  }

  @Test func threadsBeginAtEventsWithoutRelation() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let root = try await room.send(.message("root"))
    let reply = try await room.send(Self.related(EventRelation.Kind.thread, root.eventID))
    try await room.send(Self.related(EventRelation.Kind.thread, reply.eventID))
    let reference = try await room.send(Self.related(EventRelation.Kind.reference, reply.eventID))
    let shown = try await Self.shown(reply, fixture)
    #expect(shown?.thread == nil && shown?.references == [reference.eventID])
    let reaction = try await room.send(Self.related(EventRelation.Kind.annotation, root.eventID, type: "m.reaction"))
    try await room.send(Self.related(EventRelation.Kind.reference, reaction.eventID))
    #expect(try await Self.shown(reaction, fixture) == nil)
  }

  @Test func whoBeganAThreadHasTakenPartInIt() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    for user in [Users.bob, Users.carol] {
      try await room.send(Sending("m.room.member", user.rawValue, user, ["membership": "join"]))
    }
    let root = try await room.send(.message("root"))
    try await room.send(Self.related(EventRelation.Kind.thread, root.eventID, Users.bob))
    for (reader, hasParticipated) in [(Users.alice, true), (Users.bob, true), (Users.carol, false)] {
      #expect(try await Self.shown(root, fixture, to: reader)?.thread?.hasParticipated == hasParticipated)
    }
  }

  @Test func aRedactedEventKeepsItsThreadAndLosesItsEdit() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let root = try await room.send(.message("root"))
    try await room.send(Self.related(EventRelation.Kind.replacement, root.eventID, content: Self.new))
    let reply = try await room.send(Self.related(EventRelation.Kind.thread, root.eventID))
    #expect(try await Self.shown(root, fixture)?.edit != nil)
    var metadata = EventMetadata()
    metadata.recheckRedaction = false
    try await room.send(
      Sending("m.room.redaction", nil, Users.alice, [:], redacts: root.eventID), metadata: metadata)
    let shown = try await Self.shown(root, fixture)
    #expect(shown?.edit == nil && shown?.thread?.latest.eventID == reply.eventID)
  }
}
