import MatrixEvents
import MatrixPrimitives
import Testing

@Suite struct ClientEventFormatTests {
  private let source: JSON = [
    "type": "m.room.message", "room_id": "!r:x", "sender": "@a:x", "content": ["body": "hi"], "origin_server_ts": 5,
    "depth": 3, "prev_events": ["$p"], "auth_events": ["$a"], "hashes": ["sha256": "x"], "signatures": [:],
    "unsigned": [
      "age_ts": 10, "replaces_state": "$old", "prev_content": ["a": 1], "prev_sender": "@b:x", "foo": 1,
      "invite_room_state": [1],
    ],
    "custom": 1, "origin": "x", "prev_state": [],
  ]

  private func written(
    _ json: JSON, _ format: ClientEventFormat, _ unsigned: ClientUnsigned = ClientUnsigned(),
    version: RoomVersion = .v10
  ) throws -> JSON {
    let event = try Event.parse(try json.document(), version: version, eventID: EventID(unchecked: "$id"))
    var writer = JSONWriter()
    format.write(event, unsigned: unsigned, to: &writer)
    // The canonical form would refuse a key written twice.
    _ = try CanonicalJSON.encode(try JSONValue.parse(writer.bytes))
    return try JSON.parse(writer.bytes)
  }

  /// Compared with what Synapse's serializer makes of the same event.
  @Test func writesWhatClientsMaySee() throws {
    let unsigned = ClientUnsigned(nowMilliseconds: 100, membership: "join")
    let common: [Text: JSON] = [
      "content": ["body": "hi"], "custom": 1, "event_id": "$id", "origin_server_ts": 5, "sender": "@a:x",
      "type": "m.room.message",
      "unsigned": [
        "age": 90, "membership": "join", "prev_content": ["a": 1], "prev_sender": "@b:x", "replaces_state": "$old",
      ],
    ]
    #expect(try written(source, .sync, unsigned) == .object(common))
    var full = common
    full["room_id"] = "!r:x"
    #expect(try written(source, .full, unsigned) == .object(full))
    full["user_id"] = "@a:x"
    full["age"] = 90
    full["prev_content"] = ["a": 1]
    full["replaces_state"] = "$old"
    #expect(try written(source, .legacy, unsigned) == .object(full))
  }

  @Test func addsWhatTheServerKnows() throws {
    var json = source
    json["unsigned"] = [:]
    let unsigned = ClientUnsigned(
      nowMilliseconds: 100, transactionID: "T\"", previousContent: try JSONValue.parse(#"{"b":2}"#),
      previousSender: UserID(unchecked: "@p:x"), replacesState: EventID(unchecked: "$r"),
      redactedBecause: Array(#"{"type":"m.room.redaction"}"#.utf8), relations: Array(#"{"m.thread":{}}"#.utf8))
    #expect(
      try written(json, .sync, unsigned)["unsigned"] == [
        "transaction_id": "T\"", "prev_content": ["b": 2], "prev_sender": "@p:x", "replaces_state": "$r",
        "redacted_because": ["type": "m.room.redaction"], "m.relations": ["m.thread": [:]],
      ])
    json["unsigned"] = nil
    #expect(try written(json, .sync)["unsigned"] == [:])
  }

  @Test func keepsStrippedStateOnlyWhenAsked() throws {
    #expect(try written(source, .full)["unsigned"]?["invite_room_state"] == nil)
    let format = ClientEventFormat(includesStrippedState: true)
    #expect(try written(source, format)["unsigned"]?["invite_room_state"] == [1])
  }

  @Test func showsTheTargetOfRedactionsInBothPlaces() throws {
    var json = source
    json["type"] = "m.room.redaction"
    json["redacts"] = "$x"
    let old = try written(json, .sync)
    #expect(old["redacts"] == "$x")
    #expect(old["content"] == ["body": "hi", "redacts": "$x"])
    json["redacts"] = nil
    json["content"] = ["redacts": "$x"]
    let new = try written(json, .sync, version: .v11)
    #expect(new["redacts"] == "$x")
    #expect(new["content"] == ["redacts": "$x"])
    json["content"] = [:]
    json["redacts"] = "$x"
    #expect(try written(json, .sync)["content"] == ["redacts": "$x"])
  }

  @Test func writesTheRoomIDThatVersion12LeavesOut() throws {
    let room = try TestRoom(.v12)
    let create = try #require(room.state[.create].flatMap { room.events[$0] })
    var writer = JSONWriter()
    ClientEventFormat.full.write(create, to: &writer)
    #expect(try JSON.parse(writer.bytes)["room_id"]?.string == room.roomID.rawValue)
  }
}
