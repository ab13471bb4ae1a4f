extension AbsentCapability {
  /// Finding users. Go with the user directory.
  static let userDirectory = AbsentCapability(
    """
    rc_user_directory
    update_user_directory
    update_user_directory_from_worker
    user_directory
    """)
}
