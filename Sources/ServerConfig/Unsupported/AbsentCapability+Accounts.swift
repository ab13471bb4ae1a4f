extension AbsentCapability {
  /// Accounts beyond a name and a password: rooms to join, expiry, types of users. Each goes with what it sets.
  static let accounts = AbsentCapability(
    """
    account_validity
    auto_accept_invites
    auto_join_mxid_localpart
    auto_join_rooms
    auto_join_rooms_for_guests
    autocreate_auto_join_room_preset
    autocreate_auto_join_rooms
    autocreate_auto_join_rooms_federated
    track_puppeted_user_ips
    use_account_validity_in_account_status
    user_types
    """,
    guards: [
      Guard("account_validity.enabled", .isTrue, "accounts would not expire")
    ])
}
