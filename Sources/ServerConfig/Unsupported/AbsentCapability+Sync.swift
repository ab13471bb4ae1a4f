extension AbsentCapability {
  /// What syncs leave out and add. Go with the routing of presence and profile updates in syncs.
  static let sync = AbsentCapability(
    """
    include_profile_updates_in_sync
    presence.presence_router
    """)
}
