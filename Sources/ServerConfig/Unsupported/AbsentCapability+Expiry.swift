extension AbsentCapability {
  /// How long messages and rooms stay. Go with message retention.
  static let expiry = AbsentCapability(
    """
    enable_ephemeral_messages
    forgotten_room_retention_period
    redaction_allowed_period
    retention
    """,
    guards: [
      Guard("enable_ephemeral_messages", .isTrue, "messages would not vanish"),
      Guard("forgotten_room_retention_period", .isSet, "forgotten rooms would stay in the database"),
      Guard("retention.enabled", .isTrue, "messages would stay for ever"),
    ])
}
