import MatrixPrimitives

extension PushRules {
  /// The server's own rules in the order in which they are tried within their kind.
  ///
  /// Source: the client-server API's "Predefined Rules"; which of them are sent, and `.im.vector.jitsi`, observed on Synapse.
  public static let defaultRules: [PushRule] =
    overrideDefaults + contentDefaults + threadDefaultRules + underrideDefaults

  private static let highlight: JSON = ["set_tweak": "highlight"]
  private static let noHighlight: JSON = ["set_tweak": "highlight", "value": false]
  private static let defaultSound: JSON = ["set_tweak": "sound", "value": "default"]

  private static func match(_ key: Text, _ pattern: Text) -> JSON {
    ["kind": "event_match", "key": .string(key), "pattern": .string(pattern)]
  }

  private static func rule(
    _ kind: PushRule.Kind, _ id: Text, _ conditions: [JSON], _ actions: [JSON], isEnabled: Bool = true
  ) -> PushRule {
    PushRule(
      ruleID: "global/\(kind.rawValue)/\(id)", kind: kind, conditions: conditions.map(PushCondition.init),
      actions: actions, isDefault: true, isEnabledByDefault: isEnabled)
  }

  private static let overrideDefaults: [PushRule] = [
    rule(.override, ".m.rule.master", [], [], isEnabled: false),
    rule(.override, ".m.rule.suppress_notices", [match("content.msgtype", "m.notice")], []),
    rule(
      .override, ".m.rule.invite_for_me",
      [
        match("type", "m.room.member"), match("content.membership", "invite"),
        ["kind": "event_match", "key": "state_key", "pattern_type": "user_id"],
      ], ["notify", noHighlight, defaultSound]),
    rule(.override, ".m.rule.member_event", [match("type", "m.room.member")], []),
    rule(
      .override, ".m.rule.is_user_mention",
      [["kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value_type": "user_id"]],
      ["notify", highlight, defaultSound]),
    rule(
      .override, ".m.rule.contains_display_name", [["kind": "contains_display_name"]],
      ["notify", highlight, defaultSound]),
    rule(
      .override, ".m.rule.is_room_mention",
      [
        ["kind": "event_property_is", "key": "content.m\\.mentions.room", "value": true],
        ["kind": "sender_notification_permission", "key": "room"],
      ], ["notify", highlight]),
    rule(
      .override, ".m.rule.roomnotif",
      [["kind": "sender_notification_permission", "key": "room"], match("content.body", "@room")],
      ["notify", highlight]),
    rule(
      .override, ".m.rule.tombstone", [match("type", "m.room.tombstone"), match("state_key", "")],
      ["notify", highlight]),
    rule(.override, ".m.rule.reaction", [match("type", "m.reaction")], []),
    rule(.override, ".m.rule.room.server_acl", [match("type", "m.room.server_acl"), match("state_key", "")], []),
    rule(
      .override, ".m.rule.suppress_edits",
      [["kind": "event_property_is", "key": "content.m\\.relates_to.rel_type", "value": "m.replace"]], []),
  ]

  private static let contentDefaults: [PushRule] = [
    rule(
      .content, ".m.rule.contains_user_name",
      [["kind": "event_match", "key": "content.body", "pattern_type": "user_localpart"]],
      ["notify", highlight, defaultSound])
  ]

  /// The rules of MSC4306: a thread that the user follows notifies, any other does not.
  private static let threadDefaultRules: [PushRule] = [
    rule(
      .postcontent, ".io.element.msc4306.rule.unsubscribed_thread",
      [["kind": "io.element.msc4306.thread_subscription", "subscribed": false]], []),
    rule(
      .postcontent, ".io.element.msc4306.rule.subscribed_thread",
      [["kind": "io.element.msc4306.thread_subscription", "subscribed": true]], ["notify", defaultSound]),
  ]

  private static let underrideDefaults: [PushRule] = [
    rule(
      .underride, ".m.rule.call", [match("type", "m.call.invite")],
      ["notify", ["set_tweak": "sound", "value": "ring"], noHighlight]),
    rule(
      .underride, ".m.rule.encrypted_room_one_to_one",
      [match("type", "m.room.encrypted"), ["kind": "room_member_count", "is": "2"]],
      ["notify", defaultSound, noHighlight]),
    rule(
      .underride, ".m.rule.room_one_to_one",
      [match("type", "m.room.message"), ["kind": "room_member_count", "is": "2"]],
      ["notify", defaultSound, noHighlight]),
    rule(.underride, ".m.rule.message", [match("type", "m.room.message")], ["notify", noHighlight]),
    rule(.underride, ".m.rule.encrypted", [match("type", "m.room.encrypted")], ["notify", noHighlight]),
    rule(
      .underride, ".im.vector.jitsi",
      [match("type", "im.vector.modular.widgets"), match("content.type", "jitsi"), match("state_key", "*")],
      ["notify", noHighlight]),
  ]
}
