import ByteText

/// The settings of profiles and of the user directory.
public struct ProfileSettings: Sendable, Hashable {
  /// Whether reading a profile demands a login.
  public var requiresAuth: Bool
  /// Whether profiles are shown only to users who share a room.
  public var limitedToSharedRooms: Bool
  /// Whether invitations include the invited user's name and avatar.
  public var includedOnInvite: Bool
  /// Whether sync informs clients of changed profiles.
  public var includesUpdatesInSync: Bool
  /// The greatest size of an avatar's file in bytes; nil for any.
  public var largestAvatar: Int64?
  /// The types that an avatar's file may have; nil for all.
  public var avatarTypes: [Text]?
  /// Whether searches of the user directory are answered.
  public var allowsDirectorySearch: Bool
  /// Whether all users of the server are found, not only those who share a room or are in a public one.
  public var searchesAllUsers: Bool
  /// Whether users of other servers are left out.
  public var excludesRemoteUsers: Bool
  /// Whether users of this server come first.
  public var prefersLocalUsers: Bool
  /// Whether locked users are found as well.
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
    largestAvatar = try root.bytes("max_avatar_size").flatMap { $0 > 0 ? $0 : nil }
    let types = try root.strings("allowed_avatar_mimetypes")
    avatarTypes = types.isEmpty ? nil : types
    let directory = try root.section("user_directory")
    allowsDirectorySearch = try directory.bool("enabled", true)
    searchesAllUsers = try directory.bool("search_all_users", false)
    excludesRemoteUsers = try directory.bool("exclude_remote_users", false)
    prefersLocalUsers = try directory.bool("prefer_local_users", false)
    showsLockedUsers = try directory.bool("show_locked_users", false)
  }
}
