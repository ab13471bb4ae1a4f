import MatrixPrimitives
import SeededNumbers
import Testing

@testable import MatrixEvents

/// Users who never changed a rule take a shorter way through the rules; it must lead to the same end.
@Suite struct PushRuleShortcutTests {
  private static let users = ["@alice:test", "@al:test", "@bob:test", "@b.o-b:test", "@é:test"].map(
    UserID.init(unchecked:))
  private static let names: [Text?] = ["Alice", "al", "Bob W", "", nil]

  private static func event(_ random: inout SeededRandom) throws -> Event {
    var content: [Text: JSON] = [:]
    let words = ["alice", "AL", "bob", "w", "@room", "b.o-b", "é", "hello", ""]
    if Bool.random(using: &random) {
      let body = (0..<Int.random(in: 0...4, using: &random)).map { _ in words.randomElement(using: &random) ?? "" }
      content["body"] = .string(body.joined(separator: [" ", ", ", ""].randomElement(using: &random) ?? " "))
    }
    switch Int.random(in: 0..<6, using: &random) {
    case 0: content["m.mentions"] = [:]
    case 1: content["m.mentions"] = ["user_ids": ["@bob:test", 3, "@é:test"], "room": true]
    case 2: content["m.mentions"] = ["user_ids": "@bob:test", "room": "true"]
    default: break
    }
    if Int.random(in: 0..<4, using: &random) == 0 { content["msgtype"] = "m.notice" }
    if Int.random(in: 0..<4, using: &random) == 0 { content["m.relates_to"] = ["rel_type": "m.replace"] }
    if Bool.random(using: &random) { content["membership"] = "invite" }
    let types = [
      "m.room.message", "m.room.encrypted", "m.room.member", "m.reaction", "m.room.tombstone", "m.call.invite",
    ]
    var json: JSON = [
      "type": .string(types.randomElement(using: &random) ?? ""), "sender": "@carol:test", "room_id": "!r:test",
      "content": .object(content), "origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [],
    ]
    switch Int.random(in: 0..<3, using: &random) {
    case 0: json["state_key"] = ""
    case 1: json["state_key"] = "@al:test"
    default: break
    }
    return try Event.parse(try json.document(), version: .v10)
  }

  /// Returns the server's rules as rules of a user's own, which are tried condition by condition.
  private static func copies(for event: Event) -> PushRules {
    let legacy = [".m.rule.contains_display_name", ".m.rule.contains_user_name", ".m.rule.roomnotif"]
    let hasMentions = event.content["m.mentions"] != nil
    let rules = PushRules.defaultRules.filter {
      $0.isEnabledByDefault && !(hasMentions && legacy.contains($0.clientID))
    }
    return PushRules(
      stored: rules.map { rule in
        PushRule(
          ruleID: "global/\(rule.kind.rawValue)/copy\(rule.clientID)", kind: rule.kind,
          conditions: .array(rule.conditions.map(\.json)), actions: .array(rule.actions))
      }, enabled: Dictionary(uniqueKeysWithValues: PushRules.defaultRuleIDs.map { ($0, false) }))
  }

  @Test(arguments: 0..<400) func leadsToTheSameEnd(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let event = try Self.event(&random)
    let evaluator = PushRuleEvaluator(
      event: event, roomMemberCount: Int.random(in: 2...3, using: &random),
      powerLevels: Bool.random(using: &random) ? PowerLevels(create: nil, powerLevels: nil) : nil)
    let untouched = PushRules(
      stored: [
        PushRule(ruleID: "global/room/!other:test", kind: .room, conditions: [["kind": "unknown"]], actions: [])
      ],
      enabled: [:])
    let copies = Self.copies(for: event)
    for (user, name) in zip(Self.users, Self.names) {
      let outcome = evaluator.evaluate(.defaults, for: user, displayName: name)
      #expect(outcome == evaluator.evaluate(untouched, for: user, displayName: name))
      #expect(outcome == evaluator.evaluate(copies, for: user, displayName: name), "\(user): \(event.json)")
    }
  }
}
