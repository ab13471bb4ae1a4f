extension AbsentCapability {
  /// Relays for calls, and where their conferences are. Go with `/voip/turnServer` and MatrixRTC.
  static let calls = AbsentCapability(
    """
    matrix_rtc
    turn_allow_guests
    turn_password
    turn_shared_secret
    turn_shared_secret_path
    turn_uris
    turn_user_lifetime
    turn_username
    """)
}
