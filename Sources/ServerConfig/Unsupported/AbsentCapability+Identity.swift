extension AbsentCapability {
  /// E-mail addresses and telephone numbers. Go with the binding of addresses and the mails that confirm them.
  static let identity = AbsentCapability(
    """
    account_threepid_delegates
    allowed_local_3pids
    default_identity_server
    disable_msisdn_registration
    email
    enable_3pid_changes
    enable_3pid_lookup
    enable_registration_token_3pid_bypass
    invite_3pid_guest
    next_link_domain_whitelist
    rc_3pid_validation
    rc_third_party_invite
    registrations_require_3pid
    request_token_inhibit_3pid_errors
    templates
    trust_identity_server_for_password_resets
    """,
    guards: [
      Guard("registrations_require_3pid", .isSet, "accounts could be registered without")
    ])
}
