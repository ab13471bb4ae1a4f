import MatrixPrimitives
import Replication
import Stores
import Testing

@testable import SyncEngine

/// Rules that hold whichever endpoint asks.
@Suite struct SyncServiceRuleTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob
  let carol = SyncFixture.carol

  private func refusal(_ body: () async throws -> Void) async throws -> MatrixError? {
    do {
      try await body()
      return nil
    } catch let error as MatrixError {
      return error
    }
  }

  private func json(_ bytes: [UInt8]) throws -> JSON { try JSON.parse(bytes) }

  @Test func accountDataIsReadBack() async throws {
    let server = try await SyncFixture()
    let (data, user) = (server.services.accountData, SyncFixture.alice.userID)
    let room = try await server.createRoom()
    try await data.set(user, type: "org.x", content: try JSON.object(["n": 1]).document())
    try await data.set(user, room: room, type: "org.x", content: try JSON.object(["n": 2]).document())
    try await data.setTag(user, room: room, tag: "u.t", content: try JSON.object(["order": 0.5]).document())
    #expect(try json(try await data.content("org.x", of: user)) == ["n": 1])
    #expect(try json(try await data.content("org.x", of: user, in: room)) == ["n": 2])
    #expect(try await data.tags(of: user, in: room).mapValues { try JSON.parse($0) } == ["u.t": ["order": 0.5]])
    #expect(try json(try await data.content("m.push_rules", of: user))["global"] != nil)
    #expect(try json(try await data.content("m.push_rules", of: user, in: room)) == [:])
    #expect(try await refusal { _ = try await data.content("org.y", of: user) }?.status == 404)
    #expect(try await refusal { _ = try await data.content("org.y", of: user, in: room) }?.status == 404)
    #expect(try await data.tags(of: bob.userID, in: room).isEmpty)
  }

  @Test(arguments: ["m.fully_read", "m.push_rules"]) func otherEndpointsSetTheirTypes(_ type: Text) async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let (data, content) = (server.services.accountData, try JSON.object([:]).document())
    #expect(try await refusal { try await data.set(alice.userID, type: type, content: content) }?.status == 405)
    let error = try await refusal { try await data.set(alice.userID, room: room, type: type, content: content) }
    #expect(error?.status == 405 && error?.errcode == "M_BAD_JSON")
  }

  @Test func tagsAreForRoomsOfOnesOwn() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let (data, content) = (server.services.accountData, try JSON.object([:]).document())
    let long = Text(repeating: "t", count: 256)
    let tooLong = try await refusal { try await data.setTag(alice.userID, room: room, tag: long, content: content) }
    #expect(tooLong?.errcode == "M_INVALID_PARAM")
    let stranger = try await refusal { try await data.setTag(bob.userID, room: room, tag: "t", content: content) }
    #expect(stranger?.status == 403)
  }

  @Test func onlyMembersTypeAndShadowBannedOnesReachNobody() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let typing = server.services.typing
    let stranger = try await refusal { try await typing.announce(bob, in: room, isTyping: true, timeout: nil) }
    #expect(stranger?.status == 403)
    var banned = alice
    banned.isShadowBanned = true
    try await typing.announce(banned, in: room, isTyping: true, timeout: nil)
    #expect(typing.changes(in: [room], since: 0).isEmpty)
    try await typing.announce(alice, in: room, isTyping: true, timeout: nil)
    #expect(typing.changes(in: [room], since: 0) == [room: [alice.userID]])
  }

  @Test func receiptsOfEveryTypeAreTaken() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let event = try await server.say("x", room)
    for type in ReceiptService.types {
      try await server.services.receipts.receive(alice, room: room, type: type, event: event, threadID: nil)
    }
    let marker = try await server.services.accountData.content("m.fully_read", of: alice.userID, in: room)
    #expect(try json(marker) == ["event_id": .string(event.rawValue)])
    #expect(throws: MatrixError.self) { try ReceiptService.check(type: "m.other") }
    #expect(throws: Never.self) { try ReceiptService.check(type: "m.read") }
  }

  @Test func threadsOfReceipts() throws {
    let thread = try ReceiptService.threadID(in: try JSONValue.parse(#"{"thread_id":"main"}"#), type: "m.read")
    #expect(thread == "main")
    let none = try ReceiptService.threadID(in: try JSONValue.parse("{}"), type: "m.read")
    #expect(none == nil)
    for (body, type) in [
      (#"{"thread_id":""}"#, "m.read"), (#"{"thread_id":1}"#, "m.read"), (#"{"thread_id":"main"}"#, "m.fully_read"),
    ] {
      #expect(throws: MatrixError.self) { try ReceiptService.threadID(in: try JSONValue.parse(body), type: type) }
    }
  }

  @Test func presenceIsForThoseWhoShareARoom() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let presence = server.services.presence
    #expect(try await presence.state(of: alice.userID, seenBy: bob.userID).user == alice.userID)
    #expect(try await presence.state(of: carol.userID, seenBy: carol.userID).user == carol.userID)
    #expect(
      try await refusal { _ = try await presence.state(of: alice.userID, seenBy: carol.userID) }?.status == 403)
  }

  @Test func tokensOfSyncAreRead() async throws {
    let server = try await SyncFixture()
    let next = try await server.sync().next
    let token = try await server.services.token(next)
    #expect(token?.room.topological == nil)
    for text in ["", "x", "s", "t1-2_0"] {
      #expect(try await refusal { _ = try await server.services.token(text) }?.status == 400, "\(text)")
    }
  }
}
