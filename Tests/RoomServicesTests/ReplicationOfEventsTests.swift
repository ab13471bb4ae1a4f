import MatrixEvents
import MatrixPrimitives
import Replication
import Stores
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

/// What travels between processes is made here by one set of services and taken over by the same.
@Suite struct ReplicationOfEventsTests {
  private func body(_ elements: [SendEventsRequest.Element]) throws -> JSONValue {
    try JSONValue.parse(try CallForm(SendEventsRequest(elements: elements)).body)
  }

  private func read(_ body: JSONValue) throws -> SendEventsRequest {
    try CallForm<SendEventsRequest>.read([], Text(decoding: body.raw, as: UTF8.self))
  }

  private func element(
    _ server: RoomFixture, _ room: RoomID, _ type: Text, _ content: JSON, stateKey: Text? = nil,
    by requester: Requester = RoomFixture.alice
  ) async throws -> SendEventsRequest.Element {
    let creator = server.rooms.submitter.creator
    var chain = try await creator.chain(at: room, for: requester.userID)
    let draft = ClientEventDraft(roomID: room, type: type, stateKey: stateKey, content: content)
    guard case .created(let created) = try await creator.create(draft, requester: requester, on: &chain) else {
      throw MatrixError.unknown("a duplicate", status: 500)
    }
    let context = try await server.rooms.state.store([created.context])[0]
    return SendEventsRequest.Element(
      persistable: PersistableEvent(event: created.event, context: context, metadata: created.metadata),
      requester: requester, ratelimit: true, extraUsers: [requester.userID])
  }

  @Test func anEventArrivesAsItWasSent() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let sent = try await element(server, room, "m.room.topic", ["topic": "T"], stateKey: "")
    let request = try read(try body([sent]))
    let received = try #require(request.elements.first)
    #expect(received.persistable.event.eventID == sent.persistable.event.eventID)
    #expect(received.persistable.context.json == sent.persistable.context.json)
    #expect(received.requester == sent.requester && received.extraUsers == sent.extraUsers && received.ratelimit)
    let answer = try await server.rooms.inbox.accept(request)
    #expect(answer.eventID == sent.persistable.event.eventID)
    let topic = try await server.rooms.history.stateEvent(
      room: room, key: StateKey("m.room.topic"), requester: RoomFixture.alice)
    #expect(topic.eventID == answer.eventID && topic.streamOrdering == answer.streamID)
    // A repeated call changes nothing.
    #expect(try await server.rooms.inbox.accept(request).eventID == answer.eventID)
  }

  @Test func invitesWithoutStrippedStateGetIt() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(RoomFixture.alice, ["name": "Named"])
    var sent = try await element(
      server, room, "m.room.member", ["membership": "invite"], stateKey: RoomFixture.bob.userID.rawValue)
    var members = try #require(sent.persistable.event.json.json.members)
    members["unsigned"] = [:]
    let bare = try Event.parse(
      try JSONValue.parse(JSON.object(members).encoded), version: sent.persistable.event.version)
    sent.persistable = PersistableEvent(
      event: bare, context: sent.persistable.context, metadata: sent.persistable.metadata)
    let answer = try await server.rooms.inbox.accept(try read(try body([sent])))
    let stored = try #require(try await server.stores.events.event(answer.eventID))
    let names = stored.event.unsigned?["invite_room_state"]?.elements?.compactMap { $0["content"]?["name"]?.string }
    #expect(names == ["Named"])
  }

  @Test(arguments: [
    "{}", #"{"events":[]}"#, #"{"events":{}}"#, #"{"events":[1]}"#, #"{"events":[{"room_version":"99"}]}"#,
    #"{"events":[{"room_version":"10","event":{}}]}"#,
  ])
  func bodiesOfAnotherFormAreRefused(body: Text) throws {
    let value = try JSONValue.parse(body)
    let error = #expect(throws: MatrixError.self) { try read(value) }
    #expect(error.map { (400..<500).contains($0.status) } == true)
  }

  @Test func everyTruncatedBodyIsRefused() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let sent = try await element(server, room, "m.room.message", ["msgtype": "m.text", "body": "x"])
    let value = try body([sent])
    let members = try #require(value["events"]?[0]?.json.members)
    for key in members.keys
    where !["outlier", "rejected_reason", "ratelimit", "extra_users", "event_format_version"].contains(key) {
      var rest = members
      rest[key] = nil
      let part = try JSON.object(["events": [.object(rest)]]).document()
      #expect(throws: MatrixError.self, "without \(key)") { try read(part) }
    }
  }

  @Test func theBytesAreSynapses() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let sent = try await element(server, room, "m.room.topic", ["topic": "T"], stateKey: "")
    let call = try CallForm(SendEventsRequest(elements: [sent]))
    #expect(call.path == "send_events")
    let members = try #require(try JSON.parse(call.body)["events"]?.elements?.first?.members)
    #expect(
      Set(members.keys) == [
        "event", "room_version", "event_format_version", "internal_metadata", "outlier", "rejected_reason", "requester",
        "ratelimit", "extra_users", "context",
      ])
    #expect(members["event_format_version"] == 3 || members["event_format_version"] == 4)
    #expect(SendEventsRequest(elements: [sent]).destination == .shard(of: .events, key: room.rawValue))
    let answer = SendEventsRequest.Answer(streamID: 7, eventID: EventID(unchecked: "$e"))
    #expect(answer.form == #"{"stream_id":7,"event_id":"$e"}"#)
    let read = try SendEventsRequest.Answer(answer: try JSONValue.parse(answer.form))
    #expect(read.streamID == 7 && read.eventID.rawValue == "$e")
  }

  @Test func eventsOfOtherServersTravelWithTheirRoom() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let sent = try await element(server, room, "m.room.topic", ["topic": "T"], stateKey: "")
    var item = try #require(
      try JSON.parse(try CallForm(SendEventsRequest(elements: [sent])).body)["events"]?[0]?.members)
    for key in ["requester", "ratelimit", "extra_users"] { item[key] = nil }
    let body = JSON.object(["events": [.object(item)], "backfilled": false, "room_id": .string(room.rawValue)])
    let call = try CallForm<FederatedEventsRequest>.read([], Text(decoding: body.encoded, as: UTF8.self))
    #expect(call.destination == .shard(of: .events, key: room.rawValue))
    let again = try CallForm(call)
    #expect(again.path == "fed_send_events")
    #expect(try JSON.parse(again.body) == body)
    let token = try await server.rooms.inbox.accept(call)
    #expect(StreamIDAnswer(token).form == #"{"max_stream_id":\#(Text(token))}"#)
  }

  @Test func departuresAreReported() throws {
    let call = try CallForm(MembershipChanged(roomID: "!r:hs", userID: "@a:hs", change: "left"))
    #expect(call.path == "membership_change/!r:hs/@a:hs/left")
    #expect(call.body == "{}")
    #expect(try call.read().change == "left")
    #expect(MembershipChanged.isServedByMainOnly && !MembershipChanged.isCached)
  }
}
