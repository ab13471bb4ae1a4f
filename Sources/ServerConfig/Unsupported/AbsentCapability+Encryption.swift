extension AbsentCapability {
  /// Keys of devices. Go with the end-to-end encryption API.
  static let encryption = AbsentCapability(
    """
    rc_key_requests
    """)
}
