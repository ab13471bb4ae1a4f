import MatrixEvents
import MatrixPrimitives
import Testing

@Suite struct PushRuleTests {
  private let user = UserID(unchecked: "@alice:test")
  private let sender = UserID(unchecked: "@bob:test")

  private func event(_ content: JSON) throws -> Event {
    try event(EventType.message, content)
  }

  private func event(_ type: Text, _ content: JSON, stateKey: Text? = nil) throws -> Event {
    var json: JSON = [
      "type": .string(type), "sender": .string(sender.rawValue), "room_id": "!r:test", "content": content,
      "origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [],
    ]
    if let stateKey { json["state_key"] = .string(stateKey) }
    return try Event.parse(try json.document(), version: .v10)
  }

  private func levels(sender level: Int64, _ extra: [Text: JSON] = [:]) throws -> PowerLevels {
    let content = JSON.object(extra.merging(["users": [sender.rawValue: .integer(level)]]) { first, _ in first })
    return PowerLevels(create: nil, powerLevels: try event(EventType.powerLevels, content, stateKey: ""))
  }

  private func outcome(
    _ event: Event, rules: PushRules = .defaults, members: Int = 5, level: Int64 = 0, displayName: Text? = "Alice W"
  ) throws -> PushOutcome? {
    PushRuleEvaluator(event: event, roomMemberCount: members, powerLevels: try levels(sender: level))
      .evaluate(rules, for: user, displayName: displayName)
  }

  private let highlighted: [JSON] = ["notify", ["set_tweak": "highlight"], ["set_tweak": "sound", "value": "default"]]
  private let plain: [JSON] = ["notify", ["set_tweak": "highlight", "value": false]]
  private let audible: [JSON] = [
    "notify", ["set_tweak": "sound", "value": "default"], ["set_tweak": "highlight", "value": false],
  ]

  /// Each outcome was compared with Synapse's evaluator.
  @Test func appliesTheServersRules() throws {
    let text = "content.body is a message"
    #expect(try outcome(event(["body": .string(text)]))?.actions == plain)
    #expect(try outcome(event(["body": .string(text)]), members: 2)?.actions == audible)
    #expect(try outcome(event(["body": "hi ALICE!"]))?.actions == highlighted)
    #expect(try outcome(event(["body": "alice w: yo"]))?.actions == highlighted)
    #expect(try outcome(event(["body": "malice"]))?.actions == plain)
    #expect(try outcome(event(["body": "hi alice", "m.mentions": [:]]))?.actions == plain)
    #expect(try outcome(event(["body": "x", "m.mentions": ["user_ids": ["@alice:test"]]]))?.actions == highlighted)
    #expect(try outcome(event(["body": "x", "m.mentions": ["user_ids": ["@other:test"]]]))?.actions == plain)
    #expect(try outcome(event(["body": "@room"]), level: 49)?.actions == plain)
    #expect(try outcome(event(["body": "@room"]), level: 50)?.actions == ["notify", ["set_tweak": "highlight"]])
    #expect(try outcome(event(["body": "@room", "m.mentions": [:]]), level: 100)?.actions == plain)
    #expect(try outcome(event(["body": "x", "m.mentions": ["room": true]]), level: 50)?.isHighlight == true)
    #expect(try outcome(event(["body": "x", "m.mentions": ["room": true]]), level: 0)?.isHighlight == false)
    #expect(try outcome(event(["body": "alice", "msgtype": "m.notice"]))?.actions == [])
    #expect(try outcome(event(["body": "alice w", "m.relates_to": ["rel_type": "m.replace"]]))?.isHighlight == true)
    #expect(try outcome(event(["body": "x", "m.relates_to": ["rel_type": "m.replace"]]))?.actions == [])
    #expect(try outcome(event("m.reaction", [:]))?.notifies == false)
    #expect(try outcome(event(EventType.tombstone, [:], stateKey: ""))?.isHighlight == true)
    #expect(try outcome(event(EventType.tombstone, [:], stateKey: "x")) == nil)
    #expect(try outcome(event(EventType.serverACL, [:], stateKey: ""))?.notifies == false)
    #expect(try outcome(event(EventType.encrypted, [:]))?.actions == plain)
    #expect(try outcome(event(EventType.encrypted, [:]), members: 2)?.actions == audible)
    #expect(
      try outcome(event("m.call.invite", [:]))?.actions.contains(["set_tweak": "sound", "value": "ring"]) == true)
    #expect(try outcome(event("m.unknown", [:])) == nil)
  }

  @Test func notifiesOfOwnInvitesOnly() throws {
    let invite: JSON = ["membership": "invite"]
    #expect(try outcome(event(EventType.member, invite, stateKey: "@alice:test"))?.notifies == true)
    #expect(try outcome(event(EventType.member, invite, stateKey: "@carol:test"))?.notifies == false)
    #expect(try outcome(event(EventType.member, ["membership": "join"], stateKey: "@alice:test"))?.notifies == false)
  }

  private func rule(_ kind: PushRule.Kind, _ id: Text, _ conditions: JSON = [], _ actions: JSON = ["notify"])
    -> PushRule
  {
    PushRule(ruleID: "global/\(kind.rawValue)/\(id)", kind: kind, conditions: conditions, actions: actions)
  }

  @Test func triesKindsAndRulesInOrder() {
    let rules = PushRules(
      stored: [
        rule(.override, "mine"), rule(.override, ".m.rule.suppress_notices", [], ["notify"]), rule(.content, "foo"),
        rule(.underride, "und"), rule(.room, "!x:y"), rule(.sender, "@a:b"),
      ], enabled: [:])
    #expect(
      rules.rules.map(\.clientID) == [
        ".m.rule.master", "mine", ".m.rule.suppress_notices", ".m.rule.invite_for_me", ".m.rule.member_event",
        ".m.rule.is_user_mention", ".m.rule.contains_display_name", ".m.rule.is_room_mention", ".m.rule.roomnotif",
        ".m.rule.tombstone", ".m.rule.reaction", ".m.rule.room.server_acl", ".m.rule.suppress_edits", "foo",
        ".m.rule.contains_user_name", "!x:y", "@a:b", "und", ".m.rule.call", ".m.rule.encrypted_room_one_to_one",
        ".m.rule.room_one_to_one", ".m.rule.message", ".m.rule.encrypted", ".im.vector.jitsi",
      ])
    #expect(rules.rules[2].actions == ["notify"])
    #expect(PushRules.defaultRuleIDs.count == 21)
  }

  @Test func obeysTheUsersSwitchesAndChanges() throws {
    let message = try event(["body": "hi alice"])
    let silent = PushRules(stored: [], enabled: ["global/override/.m.rule.master": true])
    #expect(try outcome(message, rules: silent)?.notifies == false)
    let off = PushRules(
      stored: [],
      enabled: ["global/content/.m.rule.contains_user_name": false, "global/underride/.m.rule.message": false])
    #expect(try outcome(message, rules: off) == nil)
    let changed = PushRules(
      stored: [rule(.content, ".m.rule.contains_user_name", [], ["dont_notify"])], enabled: [:])
    #expect(try outcome(message, rules: changed)?.actions == [])
    let own = PushRules(stored: [rule(.override, "mine", [], ["notify", "coalesce"])], enabled: [:])
    #expect(try outcome(message, rules: own)?.actions == ["notify"])
    let ownOff = PushRules(stored: [rule(.override, "mine", [], [])], enabled: ["global/override/mine": false])
    #expect(try outcome(message, rules: ownOff)?.isHighlight == true)
  }

  /// Observed on Synapse's evaluator.
  @Test(arguments: [
    (#"{"kind":"event_match","key":"content.body","pattern":"D?s pl*"}"#, true),
    (#"{"kind":"event_match","key":"content.s","pattern":"X"}"#, true),
    (#"{"kind":"event_match","key":"content.s","pattern":"xy"}"#, false),
    (#"{"kind":"event_match","key":"content.n","pattern":"5"}"#, false),
    (#"{"kind":"event_match","key":"content.missing","pattern":"*"}"#, false),
    (#"{"kind":"event_match","key":"content.s"}"#, false),
    (#"{"kind":"event_match","key":"room_id","pattern":"!r:test"}"#, true),
    (#"{"kind":"event_match","key":"sender","pattern":"@bob:*"}"#, true),
    (#"{"kind":"event_match","key":"content.o.a\\.b\\\\c","pattern":"deep"}"#, true),
    (#"{"kind":"event_property_is","key":"content.n","value":5}"#, true),
    (#"{"kind":"event_property_is","key":"content.n","value":true}"#, false),
    (#"{"kind":"event_property_is","key":"content.b","value":true}"#, true),
    (#"{"kind":"event_property_is","key":"content.z","value":null}"#, true),
    (#"{"kind":"event_property_is","key":"content.s","value":"X"}"#, false),
    (#"{"kind":"event_property_is","key":"content.l","value":["a"]}"#, false),
    (#"{"kind":"event_property_contains","key":"content.l","value":"a"}"#, true),
    (#"{"kind":"event_property_contains","key":"content.l","value":1}"#, true),
    (#"{"kind":"event_property_contains","key":"content.s","value":"x"}"#, false),
    (#"{"kind":"contains_display_name"}"#, true),
    (#"{"kind":"room_member_count","is":"5"}"#, true), (#"{"kind":"room_member_count","is":"==5"}"#, true),
    (#"{"kind":"room_member_count","is":">4"}"#, true), (#"{"kind":"room_member_count","is":"<5"}"#, false),
    (#"{"kind":"room_member_count","is":"<=5"}"#, true), (#"{"kind":"room_member_count","is":">=6"}"#, false),
    (#"{"kind":"room_member_count","is":"x"}"#, false), (#"{"kind":"room_member_count"}"#, false),
    (#"{"kind":"sender_notification_permission","key":"room"}"#, true),
    (#"{"kind":"sender_notification_permission","key":"other"}"#, true),
    (#"{"kind":"sender_notification_permission"}"#, false), (#"{"kind":"device"}"#, false), (#"{}"#, false),
    (#"5"#, false),
  ])
  func understandsConditions(_ condition: Text, _ expected: Bool) throws {
    let message = try event(
      [
        "body": "hey Dis Play: yo", "n": 5, "b": true, "z": nil, "l": ["a", 1, true], "s": "x", "o": ["a.b\\c": "deep"],
      ])
    let own = rule(.override, "own", [try JSON.parse(condition)], ["marker"])
    let rules = PushRules(stored: [own], enabled: [:])
    let result = try outcome(message, rules: rules, level: 50, displayName: "Dis Play")
    #expect((result?.actions == ["marker"]) == expected)
  }

  @Test func neverMatchesEmptyDisplayNames() throws {
    for name in [nil, ""] as [Text?] {
      #expect(try outcome(event(["body": "x"]), displayName: name)?.actions == plain)
    }
    #expect(try outcome(event(["body": "x"]), displayName: "*")?.actions == plain)
  }

  @Test func showsRulesToClients() throws {
    let rules = PushRules(
      stored: [
        rule(.content, "word", [["kind": "event_match", "key": "content.body", "pattern": "word"]]),
        rule(.room, "!x:y", [["kind": "event_match", "key": "room_id", "pattern": "!x:y"]]),
      ], enabled: ["global/room/!x:y": false])
    var writer = JSONWriter()
    rules.write(for: user, to: &writer)
    let json = try JSON.parse(writer.bytes)
    #expect(Set((json.members ?? [:]).keys) == ["override", "content", "room", "sender", "underride", "postcontent"])
    #expect(
      json["content"]?[0]
        == ["actions": ["notify"], "default": false, "enabled": true, "pattern": "word", "rule_id": "word"])
    #expect(json["content"]?[1]?["pattern"] == "alice")
    #expect(json["room"]?[0] == ["actions": ["notify"], "default": false, "enabled": false, "rule_id": "!x:y"])
    #expect(json["override"]?[0]?["enabled"] == false)
    #expect(json["override"]?[0]?["conditions"] == [])
    #expect(
      json["override"]?[2]?["conditions"]?[2] == ["kind": "event_match", "key": "state_key", "pattern": "@alice:test"])
    #expect(
      json["override"]?[4]?["conditions"]?[0]
        == ["kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": "@alice:test"])
  }
}
