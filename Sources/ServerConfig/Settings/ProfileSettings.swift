/// Holds who may see profiles and find users.
public struct ProfileSettings: Sendable, Hashable {
  /// Demands a login for reading a profile.
  public var requiresAuth: Bool
  /// Shows profiles only to users who share a room.
  public var limitedToSharedRooms: Bool
  /// Puts the invited user's name and avatar into invitations.
  public var includedOnInvite: Bool
  /// Tells clients about changed profiles in sync.
  public var includesUpdatesInSync: Bool
  /// Answers searches of the user directory.
  public var allowsDirectorySearch: Bool
  /// Finds all users of the server, not only those who share a room or are in a public one.
  public var searchesAllUsers: Bool
  /// Leaves users of other servers out.
  public var excludesRemoteUsers: Bool
  /// Puts users of this server first.
  public var prefersLocalUsers: Bool
  /// Finds locked users as well.
  public var showsLockedUsers: Bool

  init(_ root: SettingsSection) throws(ConfigError) {
    requiresAuth = try root.bool("require_auth_for_profile_requests", false)
    limitedToSharedRooms = try root.bool("limit_profile_requests_to_users_who_share_rooms", false)
    if limitedToSharedRooms && !requiresAuth {
      throw root.fail(
        "limit_profile_requests_to_users_who_share_rooms",
        "found true, expected require_auth_for_profile_requests: true as well, because strangers share no room")
    }
    includedOnInvite = try root.bool("include_profile_data_on_invite", true)
    includesUpdatesInSync = try root.bool("include_profile_updates_in_sync", false)
    let directory = try root.section("user_directory")
    allowsDirectorySearch = try directory.bool("enabled", true)
    searchesAllUsers = try directory.bool("search_all_users", false)
    excludesRemoteUsers = try directory.bool("exclude_remote_users", false)
    prefersLocalUsers = try directory.bool("prefer_local_users", false)
    showsLockedUsers = try directory.bool("show_locked_users", false)
  }
}
