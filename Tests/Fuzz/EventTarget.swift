import MatrixEvents
import MatrixPrimitives

/// The target that reads an event by the rules of several room versions and asks everything of it that servers ask of a
/// stranger's event.
enum EventTarget {
  private static let versions: [RoomVersion] = [.v1, .v3, .v5, .v6, .v9, .v10, .v11, .v12]

  static func run(_ bytes: [UInt8]) throws {
    guard let value = try? JSONValue.parse(bytes) else { return }
    for version in versions {
      guard let event = try? Event.parse(value, version: version) else { continue }
      try checkIdentity(event)
      checkRules(event)
      try checkClientForm(event)
    }
  }

  private static func checkIdentity(_ event: Event) throws {
    let version = event.version
    let again = try Event.parse(event.json, version: version)
    try BrokenProperty.require(again.eventID == event.eventID, "an event has one id")
    let redacted = try event.redacted()
    try BrokenProperty.require(
      try Redaction.redact(redacted.json, version: version) == Array(redacted.json.raw),
      "redacting twice changes nothing")
    if version.eventIDFormat != .chosen {
      try BrokenProperty.require(
        try ReferenceHash.eventID(of: redacted.json, version: version) == event.eventID, "redaction keeps the id")
    }
    _ = try ContentHash.matches(event.json, version: version)
    for server in Signatures.signers(of: event.json) { _ = Signatures.keyIDs(in: event.json, serverName: server) }
    _ = try? EventVerification.checkSignatures(of: event, keys: [], now: 0)
  }

  private static func checkRules(_ event: Event) {
    _ = (AuthRules.stateKeysToCheck(event), AuthRules.requiredSigners(of: event))
    try? AuthRules.checkStateIndependent(event, authEvents: [event])
    try? AuthRules.check(event, state: AuthEvents([event]))
    // The event before itself: its own levels, join rules and memberships are what it is checked against.
    var events: [StateKey: Event] = [:]
    for key in AuthRules.stateKeysToCheck(event) { events[key] = event }
    try? AuthRules.check(event, state: AuthEvents(events))
    _ = try? AuthRules.redactionPermission(of: event, state: AuthEvents(events))
    let acl = ServerACL(content: event.content)
    _ = (acl.allows("a.example:8448"), acl.allows("[::1]"), HistoryVisibility(event))
    let levels = PowerLevels(create: event, powerLevels: event)
    _ = (
      levels.level(of: event.sender), levels.required(forType: event.type, isState: true), levels.notification("room")
    )
    let evaluator = PushRuleEvaluator(event: event, roomMemberCount: 2, powerLevels: levels)
    _ = evaluator.evaluate(.defaults, for: event.sender, displayName: "é")
    let own = PushRule(
      ruleID: "global/override/x", kind: .override, conditions: event.content["conditions"]?.json ?? [],
      actions: event.content["actions"]?.json ?? [])
    _ = evaluator.evaluate(PushRules(stored: [own], enabled: [:]), for: event.sender, displayName: nil)
  }

  private static func checkClientForm(_ event: Event) throws {
    for format in [ClientEventFormat.sync, .full, .legacy] {
      var writer = JSONWriter()
      format.write(event, unsigned: ClientUnsigned(nowMilliseconds: Int64.max), to: &writer)
      try BrokenProperty.require((try? JSONValue.parse(writer.bytes)) != nil, "what clients get is JSON")
    }
  }
}
