extension AbsentCapability {
  /// Accounts beyond a name and a password: rooms to join, expiry, types of users. Each goes with what it sets.
  static let accounts = AbsentCapability(
    """
    account_validity
    track_puppeted_user_ips
    use_account_validity_in_account_status
    user_types
    """,
    guards: [
      Guard("account_validity.enabled", .isTrue, "accounts would not expire")
    ])
}
