extension AbsentCapability {
  /// Accounts beyond a name and a password: captchas, rooms to join, expiry, types of users. Each goes with what it sets.
  static let accounts = AbsentCapability(
    """
    account_validity
    enable_registration_captcha
    recaptcha_private_key
    recaptcha_private_key_path
    recaptcha_public_key
    recaptcha_public_key_path
    recaptcha_siteverify_api
    track_puppeted_user_ips
    use_account_validity_in_account_status
    user_types
    """,
    guards: [
      Guard("account_validity.enabled", .isTrue, "accounts would not expire"),
      Guard("enable_registration_captcha", .isTrue, "programs could register"),
    ])
}
