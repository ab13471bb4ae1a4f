import Crypto
import MatrixEvents
import MatrixPrimitives
import Testing

@Suite struct EventVerificationTests {
  private let now: Int64 = 1_700_000_000_000
  private let day: Int64 = 24 * 3600 * 1000

  private func key(_ server: Text, until: Int64, isExpired: Bool = false) throws -> VerifyKey {
    let bytes = try #require(UnpaddedBase64.decode(TestRoom.signer.publicKey))
    return VerifyKey(
      serverName: server, keyID: "ed25519:1", publicKey: try .init(rawRepresentation: bytes), validUntilTS: until,
      isExpired: isExpired)
  }

  /// Makes an event that the servers named have signed, all with the same key.
  private func event(
    _ version: RoomVersion, signedBy servers: [Text], at time: Int64? = nil,
    changing change: (inout JSON) -> Void = { _ in }
  ) throws -> Event {
    var room = try TestRoom(version)
    room.time = (time ?? now) - 1
    var json = try room.make(EventType.message, nil, TestRoom.bob, ["body": "hi"]).json.json
    change(&json)
    json["signatures"] = [:]
    let hash = try ContentHash.compute(try json.document(), version: version)
    json["hashes"] = ["sha256": .string(hash)]
    let signature = try TestRoom.signer.signature(ofEvent: try json.document(), version: version)
    var signatures: [Text: JSON] = [:]
    for server in servers { signatures[server] = ["ed25519:1": .string(signature)] }
    json["signatures"] = .object(signatures)
    return try Event.parse(try json.document(), version: version)
  }

  private func isSigned(_ event: Event, _ keys: [VerifyKey]) -> Bool {
    (try? EventVerification.checkSignatures(of: event, keys: keys, now: now)) != nil
  }

  @Test(arguments: RoomVersion.all)
  func wantsTheSendersServer(_ version: RoomVersion) throws {
    let keys = try ["a.example", "b.example"].map { try key($0, until: now + day) }
    #expect(isSigned(try event(version, signedBy: ["b.example"]), keys))
    #expect(!isSigned(try event(version, signedBy: ["b.example"]), [keys[0]]))
    #expect(!isSigned(try event(version, signedBy: ["a.example"]), keys))
    #expect(!isSigned(try event(version, signedBy: []), keys))
  }

  @Test(arguments: RoomVersion.all)
  func wantsTheServerThatChoseTheIDWhereItWasChosen(_ version: RoomVersion) throws {
    let keys = try ["a.example", "b.example"].map { try key($0, until: now + day) }
    let foreign = try event(version, signedBy: ["b.example"]) { json in
      if version.eventIDFormat == .chosen { json["event_id"] = "$other:a.example" }
    }
    #expect(isSigned(foreign, keys) == (version.eventIDFormat != .chosen))
    let both = try event(version, signedBy: ["a.example", "b.example"]) { json in
      if version.eventIDFormat == .chosen { json["event_id"] = "$other:a.example" }
    }
    #expect(isSigned(both, keys))
  }

  @Test(arguments: RoomVersion.all)
  func wantsTheServerThatAuthorisedARestrictedJoin(_ version: RoomVersion) throws {
    let keys = try ["a.example", "b.example"].map { try key($0, until: now + day) }
    func join(_ servers: [Text]) throws -> Event {
      try event(version, signedBy: servers) { json in
        json["type"] = .string(EventType.member)
        json["state_key"] = .string(TestRoom.bob.rawValue)
        json["content"] = ["membership": "join", "join_authorised_via_users_server": "@alice:a.example"]
      }
    }
    #expect(isSigned(try join(["b.example"]), keys) == !version.allowsRestrictedJoins)
    #expect(isSigned(try join(["a.example", "b.example"]), keys))
  }

  @Test func asksNothingOfTheSendersServerForThirdPartyInvites() throws {
    let invite = try event(.v11, signedBy: []) { json in
      json["type"] = .string(EventType.member)
      json["state_key"] = "@carol:c.example"
      json["content"] = ["membership": "invite", "third_party_invite": [:]]
    }
    #expect(isSigned(invite, []))
  }

  @Test(arguments: RoomVersion.all)
  func countsKeysByTheirValidityFromVersion5(_ version: RoomVersion) throws {
    let isLax = !version.enforcesKeyValidity
    #expect(isLax == ["1", "2", "3", "4"].contains(version.identifier))
    let event = try event(version, signedBy: ["b.example"])
    #expect(isSigned(event, [try key("b.example", until: now)]))
    #expect(isSigned(event, [try key("b.example", until: now - 1)]) == isLax)
    #expect(isSigned(event, [try key("b.example", until: now - 1, isExpired: true)]) == isLax)
    let far = try self.event(version, signedBy: ["b.example"], at: now + 7 * day + 1)
    #expect(isSigned(far, [try key("b.example", until: now + 30 * day)]) == isLax)
    let near = try self.event(version, signedBy: ["b.example"], at: now + 7 * day)
    #expect(isSigned(near, [try key("b.example", until: now + 30 * day)]))
    #expect(isSigned(near, [try key("b.example", until: Int64.max)]))
  }

  @Test(arguments: RoomVersion.all)
  func takesAnEventWithChangedContentInItsRedactedForm(_ version: RoomVersion) throws {
    let keys = [try key("b.example", until: now + day)]
    let event = try event(version, signedBy: ["b.example"])
    #expect(try EventVerification.verified(event, keys: keys, now: now) === event)
    var json = event.json.json
    json["content"] = ["body": "something else"]
    let changed = try Event.parse(try json.document(), version: version)
    let used = try EventVerification.verified(changed, keys: keys, now: now)
    #expect(used.eventID == event.eventID)
    #expect(used.content["body"] == nil)
  }

  @Test func refusesASignatureOverSomethingElse() throws {
    let event = try event(.v11, signedBy: ["b.example"])
    var json = event.json.json
    json["depth"] = 99
    let changed = try Event.parse(try json.document(), version: .v11)
    #expect(!isSigned(changed, [try key("b.example", until: now + day)]))
    json["signatures"] = ["b.example": ["ed25519:1": "!"]]
    #expect(!isSigned(try Event.parse(try json.document(), version: .v11), [try key("b.example", until: now + day)]))
  }
}
