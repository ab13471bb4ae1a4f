import Crypto
import MatrixEvents
import MatrixPrimitives
import Testing

@Suite struct SignatureTests {
  private let signer = TestRoom.signer

  private func publicKey() throws -> Curve25519.Signing.PublicKey {
    try Curve25519.Signing.PublicKey(rawRepresentation: UnpaddedBase64.decode(signer.publicKey) ?? [])
  }

  /// The specification's appendix, "JSON Signing".
  @Test(arguments: [
    ("{}", "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
    (
      #"{"one":1,"two":"Two"}"#,
      "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"
    ),
  ])
  func verifiesTheObjectsOfTheAppendix(_ text: Text, _ signature: Text) throws {
    var object = try JSON.parse(text)
    object["signatures"] = ["domain": ["ed25519:1": .string(signature)]]
    let value = try object.document()
    try Signatures.verify(value, serverName: "domain", keyID: "ed25519:1", publicKey: try publicKey())
    let own = try signer.sign(try JSON.parse(text)).document()
    #expect(own["signatures"]?["domain"]?["ed25519:1"]?.string == signature)
    #expect(Signatures.keyIDs(in: own, serverName: "domain") == ["ed25519:1"])
  }

  /// The specification's appendix, "Event Signing".
  @Test(arguments: [
    (
      #"{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},"#
        + #""hashes":{},"type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}"#,
      "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
      "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
    ),
    (
      #"{"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain","#
        + #""origin_server_ts":1000000,"type":"m.room.message","room_id":"!r:domain","sender":"@u:domain","#
        + #""signatures":{},"unsigned":{"age_ts":1000000}}"#,
      "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
      "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"
    ),
  ])
  func hashesAndVerifiesTheEventsOfTheAppendix(_ text: Text, _ hash: Text, _ signature: Text) throws {
    var event = try JSON.parse(text)
    #expect(try ContentHash.compute(event.document(), version: .v1) == hash)
    event["hashes"] = ["sha256": .string(hash)]
    event["signatures"] = ["domain": ["ed25519:1": .string(signature)]]
    let signed = try event.document()
    #expect(try ContentHash.matches(signed, version: .v1))
    #expect(try signer.signature(ofEvent: signed, version: .v1) == signature)
    try Signatures.verify(
      event: signed, version: .v1, serverName: "domain", keyID: "ed25519:1", publicKey: try publicKey())
    event["content"] = ["body": "Something else"]
    #expect(try !ContentHash.matches(event.document(), version: .v1))
    // The signature covers only what redaction keeps, and that did not change.
    try Signatures.verify(
      event: try event.document(), version: .v1, serverName: "domain", keyID: "ed25519:1", publicKey: try publicKey())
  }

  @Test func refusesWrongAndMissingSignatures() throws {
    let key = try publicKey()
    var signed = try signer.sign(["a": 1])
    signed["a"] = 2
    for (value, server, keyID) in [
      (signed, "domain", "ed25519:1"), (signed, "other", "ed25519:1"), (signed, "domain", "ed25519:2"),
      (["signatures": ["domain": ["ed25519:1": "abc"]]] as JSON, "domain", "ed25519:1"),
      (["signatures": 5] as JSON, "domain", "ed25519:1"),
    ] {
      let document = try value.document()
      #expect(throws: EventError.self) {
        try Signatures.verify(document, serverName: server, keyID: keyID, publicKey: key)
      }
    }
  }

  @Test func keepsOtherSignatures() throws {
    let other = EventSigner(serverName: "other", keyID: "ed25519:x", privateKey: Curve25519.Signing.PrivateKey())
    let twice = try other.sign(try signer.sign(["a": 1, "unsigned": ["b": 2]]))
    #expect(Set(Signatures.signers(of: try twice.document())) == ["domain", "other"])
    #expect(twice["unsigned"]?["b"] == 2)
    #expect(throws: EventError.self) { try signer.sign([1]) }
  }

  @Test(arguments: RoomVersion.all)
  func sealsEventsThatVerify(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    let event = try room.make(EventType.message, nil, TestRoom.alice, ["body": "hi", "n": 3])
    let key = try publicKey()
    #expect(try ContentHash.matches(event.json, version: version))
    try Signatures.verify(
      event: event.json, version: version, serverName: "domain", keyID: "ed25519:1", publicKey: key)
    let received = try Event.parse(event.json, version: version)
    #expect(received.eventID == event.eventID)
    let redacted = try event.redacted()
    #expect(redacted.eventID == event.eventID)
    #expect(try Event.parse(redacted.json, version: version).eventID == event.eventID)
    #expect(redacted.content.members?.isEmpty == true)
    let again = try signer.signature(ofEvent: event.json, version: version)
    #expect(UnpaddedBase64.decode(again)?.count == 64)
  }
}
