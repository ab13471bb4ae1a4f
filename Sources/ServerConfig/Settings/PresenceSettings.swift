/// Holds how presence is kept; all times are milliseconds.
public struct PresenceSettings: Sendable, Hashable {
  /// Switches presence on.
  public var isEnabled: Bool
  /// Follows users' activity; false when presence is `untracked`, where only modules set it.
  public var tracksActivity: Bool
  /// Includes offline users in first syncs.
  public var includesOfflineUsers: Bool
  /// Keeps a user `currently_active` for so long after an activity.
  public var lastActiveGranularityMilliseconds: Int64
  /// Keeps a user online for so long after the last sync.
  public var syncOnlineTimeoutMilliseconds: Int64
  /// Makes a user unavailable after so long without activity.
  public var idleTimeoutMilliseconds: Int64

  init(_ root: SettingsSection) throws(ConfigError) {
    let section = try root.section("presence")
    let legacy = try root.bool("use_presence", true)
    if section.node("enabled")?.string == "untracked" {
      isEnabled = true
      tracksActivity = false
    } else {
      isEnabled = try section.bool("enabled", legacy)
      tracksActivity = isEnabled
    }
    includesOfflineUsers = try section.bool("include_offline_users_on_sync", false)
    lastActiveGranularityMilliseconds = try section.milliseconds("last_active_granularity", 60_000)
    syncOnlineTimeoutMilliseconds = try section.milliseconds("sync_online_timeout", 30_000)
    idleTimeoutMilliseconds = try section.milliseconds("idle_timeout", 300_000)
    guard lastActiveGranularityMilliseconds > 0 else {
      throw section.fail("last_active_granularity", "expected more than 0")
    }
    guard syncOnlineTimeoutMilliseconds > 0 else { throw section.fail("sync_online_timeout", "expected more than 0") }
    guard idleTimeoutMilliseconds > lastActiveGranularityMilliseconds else {
      throw section.fail("idle_timeout", "expected more than presence.last_active_granularity")
    }
  }
}
