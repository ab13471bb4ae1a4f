import MatrixEvents
import MatrixPrimitives
import SeededNumbers
import Testing

@Suite struct EventTests {
  private let base: JSON = [
    "type": "m.room.message", "sender": "@a:x", "room_id": "!r:x", "content": ["body": "hi"], "origin_server_ts": 5,
    "depth": 3, "prev_events": ["$p"], "auth_events": ["$a", "$b"], "hashes": ["sha256": "x"], "signatures": [:],
    "unsigned": ["age_ts": 5],
  ]

  private func parse(_ json: JSON, _ version: RoomVersion = .v10) throws -> Event {
    try Event.parse(try json.document(), version: version)
  }

  @Test func readsTheFields() throws {
    var json = base
    json["state_key"] = "k"
    let event = try parse(json)
    #expect(event.type == "m.room.message")
    #expect(event.key == StateKey("m.room.message", "k"))
    #expect(event.sender.rawValue == "@a:x")
    #expect(event.content["body"]?.string == "hi")
    #expect(event.prevEvents.map(\.rawValue) == ["$p"])
    #expect(event.authEvents.map(\.rawValue) == ["$a", "$b"])
    #expect(event.depth == 3)
    #expect(event.unsigned?["age_ts"]?.integer == 5)
    #expect(event.membership == nil)
    #expect(event.impliedCreateEventID == nil)
  }

  @Test(
    arguments: [
      ("type", 1), ("type", nil), ("type", .string(Text(repeating: "x", count: 256))), ("sender", 1),
      ("sender", "a:x"),
      ("sender", "@a"), ("sender", "@a:"), ("room_id", "r"), ("room_id", 1), ("content", "x"), ("content", []),
      ("origin_server_ts", "5"), ("origin_server_ts", 5.5), ("depth", -1), ("depth", "3"),
      ("depth", 9_007_199_254_740_992),
      ("prev_events", "x"), ("prev_events", [1]), ("prev_events", ["p"]), ("prev_events", [["$p", [:]]]),
      ("prev_events", .array([JSON](repeating: "$p", count: 21))),
      ("auth_events", .array([JSON](repeating: "$p", count: 11))),
      ("auth_events", [:]), ("hashes", "x"), ("signatures", []), ("unsigned", 1), ("state_key", 1), ("state_key", nil),
      ("content", ["f": 1.5]), ("content", ["n": 9_007_199_254_740_992]),
      ("content", ["body": .string(Text(repeating: "x", count: 65_536))]),
    ] as [(Text, JSON)])
  func refusesFieldsOfTheWrongShape(_ key: Text, _ value: JSON) throws {
    var json = base
    json[key] = value
    #expect(throws: EventError.self) { try parse(json) }
  }

  @Test(arguments: ["type", "sender", "room_id", "content", "origin_server_ts", "depth", "prev_events", "auth_events"])
  func refusesEventsWithoutARequiredField(_ key: Text) throws {
    var json = base
    json[key] = nil
    #expect(throws: EventError.self) { try parse(json) }
  }

  @Test func refusesRepeatedKeys() throws {
    let text = Text(decoding: base.encoded, as: UTF8.self).dropLast() + #","type":"x"}"#
    #expect(throws: EventError.self) { try Event.parse(try JSONValue.parse(text), version: .v10) }
  }

  @Test func allowsTheLimitsThemselves() throws {
    var json = base
    json["prev_events"] = .array((0..<20).map { "$p\($0)" })
    json["auth_events"] = .array((0..<10).map { "$p\($0)" })
    json["depth"] = 9_007_199_254_740_991
    json["type"] = .string(Text(repeating: "x", count: 255))
    #expect(try parse(json).prevEvents.count == 20)
  }

  @Test func countsCodePointsBeforeVersion11AndBytesAfter() throws {
    var json = base
    json["state_key"] = .string(Text(repeating: "é", count: 255))
    #expect(try parse(json, .v10).stateKey?.unicodeScalars.count == 255)
    #expect { try parse(json, .v11) } throws: { ($0 as? EventError)?.code == .tooLarge }
  }

  @Test func letsOldRoomsHaveFloatsAndLargeNumbers() throws {
    var json = base
    json["content"] = ["f": 1.5, "n": 9_007_199_254_740_993]
    #expect(try parse(json, .v4).content["f"]?.double == 1.5)
    #expect { try parse(json, .v6) } throws: { ($0 as? EventError)?.code == .notCanonical }
  }

  @Test(arguments: ["1.0", "1e3", "-0.0", "9223372036854775808"])
  func letsNewRoomsHaveNoNumbersThatAreNotWrittenAsIntegers(_ number: Text) throws {
    let text = String(decoding: base.encoded, as: UTF8.self)
    let inContent = try JSONValue.parse(
      Text(text.replacing(#""body":"hi""# as String, with: #""body":"hi","n":\#(number)"# as String)))
    #expect(inContent["content"]?["n"] != nil)
    _ = try Event.parse(inContent, version: .v5)
    #expect { try Event.parse(inContent, version: .v6) } throws: { ($0 as? EventError)?.code == .notCanonical }
    // Nothing covers `unsigned`, so nothing there can make servers disagree.
    let inUnsigned = try JSONValue.parse(
      Text(text.replacing(#""age_ts":5"# as String, with: #""age_ts":5,"n":\#(number)"# as String)))
    #expect(try Event.parse(inUnsigned, version: .v12).unsigned?["n"] != nil)
  }

  @Test func countsAllOfAnEventForItsSize() throws {
    var json = base
    let size = try CanonicalJSON.encode(json).count
    for (room, expected) in [(0, true), (1, false)] {
      json["unsigned"] = ["age_ts": 5, "x": .string(Text(repeating: "x", count: 65_536 - size - 7 + room))]
      #expect(((try? parse(json)) != nil) == expected)
    }
  }

  @Test func formsEventIDsByVersion() throws {
    #expect(try parse(base, .v3).eventID.rawValue.utf8.count == 44)
    #expect(try parse(base, .v4).eventID.serverName == nil)
    var old = base
    old["event_id"] = "$chosen:x"
    old["prev_events"] = [["$p:x", ["sha256": "y"]]]
    old["auth_events"] = []
    let event = try parse(old, .v1)
    #expect(event.eventID.rawValue == "$chosen:x")
    #expect(event.prevEvents.map(\.rawValue) == ["$p:x"])
    old["event_id"] = "$none"
    #expect(throws: EventError.self) { try parse(old, .v2) }
  }

  @Test func takesAGivenIDAsItIs() throws {
    let event = try Event.parse(try base.document(), version: .v10, eventID: EventID(unchecked: "$given"))
    #expect(event.eventID.rawValue == "$given")
  }

  @Test func namesRoomsOfVersion12AfterTheirCreateEvent() throws {
    let room = try TestRoom(.v12)
    let createID = try #require(room.state[.create])
    let create = try #require(room.events[createID])
    #expect(room.roomID.rawValue.dropFirst() == createID.rawValue.dropFirst())
    #expect(create.json["room_id"] == nil)
    #expect(create.impliedCreateEventID == nil)
    let join = try #require(room.state[.member(TestRoom.alice)].flatMap { room.events[$0] })
    #expect(join.authEvents.isEmpty)
    #expect(join.authEventsWithCreate == [createID])
    var json = create.json.json
    json["room_id"] = "!r:x"
    #expect(throws: EventError.self) { try parse(json, .v12) }
  }

  @Test func findsTheTargetOfARedactionWhereTheVersionPutsIt() throws {
    let target = EventID(unchecked: "$target")
    for version in [RoomVersion.v10, .v11] {
      var room = try TestRoom(version)
      let event = try room.make(EventType.redaction, nil, TestRoom.alice, ["reason": "x"], redacts: target)
      #expect(event.redacts == target)
      #expect((event.json["redacts"] != nil) == (version == .v10))
      #expect((event.content["redacts"] != nil) == (version == .v11))
    }
  }

  @Test func refusesDraftsThatAreTooLargeOrNoObjects() throws {
    var room = try TestRoom(.v11)
    let large = JSON.object(["body": .string(Text(repeating: "x", count: 65_500))])
    #expect { try room.make("t", nil, TestRoom.alice, large) } throws: { ($0 as? EventError)?.code == .tooLarge }
    #expect(throws: EventError.self) { try room.make("t", nil, TestRoom.alice, [1]) }
    #expect(throws: EventError.self) { try room.make("t", nil, TestRoom.alice, ["x": 1.5]) }
  }

  @Test(arguments: 0..<6 as Range<UInt64>)
  func survivesBrokenEvents(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let source = base.encoded
    for round in 0..<1500 {
      var bytes = source
      if round % 3 == 0 { bytes.removeLast(Int.random(in: 1...bytes.count, using: &random)) }
      for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0x20...0x7F, using: &random)
      }
      guard let value = try? JSONValue.parse(bytes) else { continue }
      for version in [RoomVersion.v1, .v6, .v12] {
        guard let event = try? Event.parse(value, version: version) else { continue }
        #expect(try Event.parse(event.json, version: version).eventID == event.eventID)
        _ = try event.redacted()
      }
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>)
  func survivesFieldsOfRandomTypes(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let values: [JSON] = [nil, true, 0, -1, 1.5, "", "x", "$x", "@x:y", [], ["$x"], [["$x", [:]]], [:], ["a": 1]]
    for _ in 0..<1500 {
      var json = base
      for key in [
        "type", "sender", "content", "depth", "prev_events", "unsigned", "state_key", "redacts", "signatures",
      ]
      where Bool.random(using: &random) && Bool.random(using: &random) {
        json[key] = values.randomElement(using: &random)
      }
      let value = try json.document()
      for version in [RoomVersion.v1, .v10, .v12] {
        if let event = try? Event.parse(value, version: version) {
          _ = AuthRules.stateKeysToCheck(event)
          _ = AuthRules.requiredSigners(of: event)
          try? AuthRules.check(event, state: AuthEvents([event]))
          try? AuthRules.checkStateIndependent(event, authEvents: [event])
        }
      }
    }
  }
}
