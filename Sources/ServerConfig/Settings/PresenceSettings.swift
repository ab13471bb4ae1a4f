/// The settings of presence; all times are milliseconds.
public struct PresenceSettings: Sendable, Hashable {
  /// Whether presence is on.
  public var isEnabled: Bool
  /// Whether users' activity is followed; false when presence is `untracked`, where only modules set it.
  public var tracksActivity: Bool
  /// Whether first syncs include offline users.
  public var includesOfflineUsers: Bool
  /// The time for which a user is `currently_active` after an activity.
  public var lastActiveGranularityMilliseconds: Int64
  /// The time for which a user is online after the last sync.
  public var syncOnlineTimeoutMilliseconds: Int64
  /// The time without activity after which a user is unavailable.
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
