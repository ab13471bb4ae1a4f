/// Holds how push notifications are sent.
public struct PushSettings: Sendable, Hashable {
  /// Sends them at all, and counts what is unread.
  public var isEnabled: Bool
  /// Includes events' content.
  public var includesContent: Bool
  /// Counts rooms with unread messages rather than messages.
  public var countsRooms: Bool
  /// Delays each by a random time up to this, in milliseconds; 0 for none.
  public var jitterMilliseconds: Int64

  init(_ root: SettingsSection) throws(ConfigError) {
    let section = try root.section("push")
    isEnabled = try section.bool("enabled", true)
    includesContent = try section.bool("include_content", true)
    countsRooms = try section.bool("group_unread_count_by_room", true)
    jitterMilliseconds = try section.milliseconds("jitter_delay", 0)
  }
}
