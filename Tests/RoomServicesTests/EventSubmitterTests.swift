import MatrixEvents
import MatrixPrimitives
import Replication
import Stores
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite struct EventSubmitterTests {
  @Test func concurrentSendersMakeOneChainInTheOrderOfEachCaller() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let senders = (0..<16).map { RoomFixture.requester("user\($0)") }
    for sender in senders { try await server.change(.join, room, by: sender) }
    let sent = try await withThrowingTaskGroup(of: [EventID].self) { group in
      for sender in senders {
        group.addTask {
          var ids: [EventID] = []
          for number in 0..<10 { ids.append(try await server.say("\(number)", room, sender)) }
          return ids
        }
      }
      return try await group.reduce(into: [[EventID]]()) { $0.append($1) }
    }
    let messages = try await server.timeline(room).map(\.stored).filter { $0.type == "m.room.message" }
    #expect(messages.count == 160)
    for (one, next) in zip(messages, messages.dropFirst()) {
      #expect(next.event.prevEvents == [one.eventID])
      #expect(next.streamOrdering > one.streamOrdering)
    }
    let places = Dictionary(uniqueKeysWithValues: messages.enumerated().map { ($1.eventID, $0) })
    for ids in sent {
      let order = ids.compactMap { places[$0] }
      #expect(order.count == 10 && order == order.sorted())
    }
    #expect(try await server.stores.rooms.forwardExtremities(room).count == 1)
  }

  @Test func aRepeatedTransactionAnswersWithTheFirstEvent() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let otherDevice = Requester(userID: RoomFixture.alice.userID, deviceID: "OTHER")
    for device in [RoomFixture.alice, otherDevice] { try await server.addDevice(device) }
    let ids = try await withThrowingTaskGroup(of: EventID.self) { group in
      for _ in 0..<8 { group.addTask { try await server.say("once", room, transaction: "t1") } }
      return try await group.reduce(into: Set<EventID>()) { $0.insert($1) }
    }
    #expect(ids.count == 1)
    #expect(try await server.say("again", room, transaction: "t1") == ids.first)
    #expect(try await server.say("other", room, transaction: "t2") != ids.first)
    #expect(try await server.say("other", room, otherDevice, transaction: "t1") != ids.first)
    let stored = try await server.timeline(room).filter { $0.stored.type == "m.room.message" }
    #expect(stored.count == 3)
    #expect(try server.json(stored[0])["unsigned"]?["transaction_id"] == "t1")
    #expect(try server.json(stored[0], .full, RoomFixture.bob)["unsigned"]?["transaction_id"] == nil)
  }

  @Test func aRequestRepeatedAtAnotherProcessMeanwhileMakesOneEvent() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    try await server.addDevice(RoomFixture.alice)
    let submitters = [server.rooms.submitter, server.anotherSubmitter()]
    let ids = try await withThrowingTaskGroup(of: (Int, EventID).self) { group in
      for number in 0..<60 {
        for submitter in submitters {
          group.addTask {
            (number, try await server.say("\(number)", room, transaction: "t\(number)", through: submitter))
          }
        }
      }
      return try await group.reduce(into: [Int: Set<EventID>]()) { $0[$1.0, default: []].insert($1.1) }
    }
    #expect(ids.values.allSatisfy { $0.count == 1 })
    let messages = try await server.timeline(room).map(\.stored).filter { $0.type == "m.room.message" }
    #expect(Set(messages.map(\.eventID)) == ids.values.reduce(into: []) { $0.formUnion($1) })
    #expect(messages.count == 60)
    let followed = Set(messages.flatMap(\.event.prevEvents))
    #expect(try await server.stores.events.havePersisted(Array(followed)) == followed)
  }

  @Test func anEventThatIsNotAllowedFailsAlone() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let outcomes = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<20 {
        group.addTask {
          let sender = number.isMultiple(of: 2) ? RoomFixture.alice : RoomFixture.carol
          return (try? await server.say("\(number)", room, sender)) != nil
        }
      }
      return await group.reduce(into: [Bool]()) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 }.count == 10)
    let refusal = try await server.refusal { try await server.say("x", room, RoomFixture.carol) }
    #expect(refusal?.status == 403 && refusal?.errcode == "M_FORBIDDEN")
    let unknown = try await server.refusal { try await server.say("x", RoomID(unchecked: "!nowhere:test")) }
    #expect(unknown?.status == 403)
  }

  @Test func stateThatIsSoAlreadyAnswersWithTheEventThatMadeIt() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let first = try await server.set("m.room.name", ["name": "one"], room)
    #expect(try await server.set("m.room.name", ["name": "one"], room) == first)
    let second = try await server.set("m.room.name", ["name": "two"], room)
    #expect(second != first)
    let event = try await server.rooms.history.event(second, room: room, requester: RoomFixture.alice)
    let json = try server.json(event)
    #expect(json["unsigned"]?["replaces_state"]?.string == first.rawValue)
    #expect(json["unsigned"]?["prev_content"] == ["name": "one"])
    #expect(json["unsigned"]?["prev_sender"] == "@alice:test")
    #expect(json["unsigned"]?["membership"] == "join")
  }

  @Test(arguments: ["6", "11"])
  func redactionsNeedTheRightToRedact(version: Text) async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(
      RoomFixture.alice, ["preset": "public_chat", "room_version": .string(version)])
    try await server.change(.join, room, by: RoomFixture.bob)
    let byAlice = try await server.say("alice's", room)
    let byBob = try await server.say("bob's", room, RoomFixture.bob)
    func redact(_ id: EventID, _ requester: Requester) async throws -> EventID {
      try await server.rooms.submitter.submit(
        ClientEventDraft(roomID: room, type: "m.room.redaction", content: ["reason": "so"], redacts: id),
        requester: requester)
    }
    let refusal = try await server.refusal { _ = try await redact(byAlice, RoomFixture.bob) }
    #expect(refusal?.status == 403)
    let redaction = try await redact(byBob, RoomFixture.alice)
    let event = try await server.rooms.history.event(byBob, room: room, requester: RoomFixture.bob)
    let json = try server.json(event)
    #expect(json["content"] == [:])
    #expect(json["unsigned"]?["redacted_because"]?["event_id"]?.string == redaction.rawValue)
    #expect(json["unsigned"]?["redacted_because"]?["redacts"]?.string == byBob.rawValue)
    #expect(json["unsigned"]?["redacted_because"]?["content"]?["redacts"]?.string == byBob.rawValue)
    let create = try #require(try await server.timeline(room).first?.stored.eventID)
    let forbidden = try await server.refusal { _ = try await redact(create, RoomFixture.alice) }
    #expect(forbidden?.status == 403)
  }

  @Test func reactionsCountOncePerUserAndKey() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let message = try await server.say("react to me", room)
    func react(_ key: Text) async throws -> EventID {
      let relation: JSON = ["rel_type": "m.annotation", "event_id": .string(message.rawValue), "key": .string(key)]
      return try await server.rooms.submitter.submit(
        ClientEventDraft(roomID: room, type: "m.reaction", content: ["m.relates_to": relation]),
        requester: RoomFixture.alice)
    }
    _ = try await react("+1")
    let again = try await server.refusal { _ = try await react("+1") }
    #expect(again?.errcode == "M_DUPLICATE_ANNOTATION")
    _ = try await react("-1")
    let page = try await server.rooms.history.relations(
      HistoryService.RelationQuery(eventID: message, relationType: "m.annotation", limit: 1), room: room, from: nil,
      to: nil, requester: RoomFixture.alice)
    #expect(page.chunk.count == 1 && page.next != nil)
  }

  @Test func theLimiterIsAskedBeforeAnythingIsSent() async throws {
    let limiter = RoomRateLimiter { action, _, _, _ in
      if action == .message { throw MatrixError.limitExceeded(retryAfterMilliseconds: 5) }
    }
    let server = try await RoomFixture(rateLimiter: limiter)
    let room = try await server.createRoom()
    let refusal = try await server.refusal { try await server.say("x", room) }
    #expect(refusal?.status == 429)
  }
}
