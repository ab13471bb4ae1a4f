extension AbsentCapability {
  /// What syncs leave out and add. Go with presence by room and profile updates in syncs.
  static let sync = AbsentCapability(
    """
    exclude_rooms_from_presence
    include_profile_updates_in_sync
    presence.presence_router
    """,
    guards: [
      Guard("exclude_rooms_from_presence", .isSet, "presence would be shown to members of these rooms")
    ])
}
