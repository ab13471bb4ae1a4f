/// The settings of push notifications.
public struct PushSettings: Sendable, Hashable {
  /// Whether notifications are sent at all, and unread events counted.
  public var isEnabled: Bool
  /// Whether notifications include events' content.
  public var includesContent: Bool
  /// Whether the badge counts rooms with unread messages rather than messages.
  public var countsRooms: Bool
  /// The greatest random delay of a notification, in milliseconds; 0 for none.
  public var jitterMilliseconds: Int64

  init(_ root: SettingsSection) throws(ConfigError) {
    let section = try root.section("push")
    isEnabled = try section.bool("enabled", true)
    includesContent = try section.bool("include_content", true)
    countsRooms = try section.bool("group_unread_count_by_room", true)
    jitterMilliseconds = try section.milliseconds("jitter_delay", 0)
  }
}
