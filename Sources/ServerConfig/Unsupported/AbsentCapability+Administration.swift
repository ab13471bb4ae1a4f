extension AbsentCapability {
  /// The administrator's hand on a running server: numbers of users, blocking, consent, notices. Go with the administration API.
  static let administration = AbsentCapability(
    """
    admin_contact
    hs_disabled
    hs_disabled_message
    limit_usage_by_mau
    mau_limit_alerting
    mau_limit_reserved_threepids
    mau_stats_only
    mau_trial_days
    max_mau_value
    server_notices
    user_consent
    """,
    guards: [
      Guard("hs_disabled", .isTrue, "the server would serve everybody"),
      Guard("limit_usage_by_mau", .isTrue, "the number of users would have no limit"),
      Guard("user_consent.block_events_error", .isSet, "users could send without having agreed"),
      Guard("user_consent.require_at_registration", .isTrue, "users could register without having agreed"),
    ])
}
