import MatrixEvents
import MatrixPrimitives
import Testing

@Suite struct RedactionTests {
  private func redactedContent(_ type: Text, _ content: JSON, _ version: RoomVersion) throws -> JSON? {
    let event: JSON = ["type": .string(type), "content": content]
    return try JSON.parse(Redaction.redact(event.document(), version: version))["content"]
  }

  @Test func keepsTheTopLevelKeysOfTheVersion() throws {
    var event: [Text: JSON] = [
      "content": ["x": 1], "unsigned": ["age_ts": 1, "replaces_state": "$r", "other": 2], "custom": 1,
    ]
    let always = [
      "event_id", "type", "room_id", "sender", "state_key", "prev_events", "auth_events", "origin_server_ts",
    ]
    let before11 = ["prev_state", "origin", "membership"]
    for key in always + before11 + ["redacts"] { event[key] = "v" }
    let document = try JSON.object(event).document()
    let v10 = try JSON.parse(Redaction.redact(document, version: .v10))
    let v11 = try JSON.parse(Redaction.redact(document, version: .v11))
    #expect(Set((v10.members ?? [:]).keys) == Set(always + before11 + ["content", "unsigned"]))
    #expect(Set((v11.members ?? [:]).keys) == Set(always + ["content", "unsigned"]))
    #expect(v10["content"] == [:])
    #expect(v10["unsigned"] == ["age_ts": 1, "replaces_state": "$r"])
  }

  @Test func keepsAnyNumberInUnsignedWhichNoHashCovers() throws {
    let event: JSON = ["type": "m.room.message", "content": [:], "unsigned": ["age_ts": 1.5]]
    for version in [RoomVersion.v5, .v6, .v11, .v12] {
      let redacted = try JSON.parse(Redaction.redact(event.document(), version: version))
      #expect(redacted["unsigned"] == ["age_ts": 1.5])
    }
  }

  @Test func keepsTheContentTheVersionsNeed() throws {
    let join: JSON = [
      "membership": "join", "displayname": "x", "join_authorised_via_users_server": "@a:b",
      "third_party_invite": ["signed": ["token": "t"], "display_name": "d"],
    ]
    #expect(try redactedContent(EventType.member, join, .v8) == ["membership": "join"])
    #expect(
      try redactedContent(EventType.member, join, .v9)
        == ["membership": "join", "join_authorised_via_users_server": "@a:b"])
    #expect(
      try redactedContent(EventType.member, join, .v11) == [
        "membership": "join", "join_authorised_via_users_server": "@a:b",
        "third_party_invite": ["signed": ["token": "t"]],
      ])
    let create: JSON = ["creator": "@a:b", "room_version": "x", "m.federate": false]
    #expect(try redactedContent(EventType.create, create, .v10) == ["creator": "@a:b"])
    #expect(try redactedContent(EventType.create, create, .v11) == create)
    let rules: JSON = ["join_rule": "restricted", "allow": [], "x": 1]
    #expect(try redactedContent(EventType.joinRules, rules, .v7) == ["join_rule": "restricted"])
    #expect(try redactedContent(EventType.joinRules, rules, .v8) == ["join_rule": "restricted", "allow": []])
    let levels: JSON = ["invite": 1, "ban": 2, "notifications": ["room": 3], "users": ["@a:b": 4], "x": 5]
    #expect(try redactedContent(EventType.powerLevels, levels, .v10) == ["ban": 2, "users": ["@a:b": 4]])
    #expect(try redactedContent(EventType.powerLevels, levels, .v11) == ["invite": 1, "ban": 2, "users": ["@a:b": 4]])
    #expect(try redactedContent(EventType.aliases, ["aliases": [1]], .v5) == ["aliases": [1]])
    #expect(try redactedContent(EventType.aliases, ["aliases": [1]], .v6) == [:])
    #expect(try redactedContent(EventType.redaction, ["redacts": "$x", "reason": "y"], .v10) == [:])
    #expect(try redactedContent(EventType.redaction, ["redacts": "$x", "reason": "y"], .v11) == ["redacts": "$x"])
    #expect(
      try redactedContent(EventType.historyVisibility, ["history_visibility": "shared", "x": 1], .v12)
        == ["history_visibility": "shared"])
  }
}
