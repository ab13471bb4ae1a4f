/// Bounds what clients may send and what is kept.
public struct LimitSettings: Sendable, Hashable {
  /// Bounds an uploaded file, in bytes.
  public var maximumUploadBytes: Int64
  /// Bounds the timeline a filter may ask for; -1 means no bound.
  public var filterTimelineLimit: Int
  /// Forgets clients' addresses after so many milliseconds; nil means never.
  public var userIPsMaximumAgeMilliseconds: Int64?
  /// Records addresses for users whom an administrator impersonates as well.
  public var tracksPuppetedUserIPs: Bool

  init(_ root: SettingsSection) throws(ConfigError) {
    maximumUploadBytes = try root.bytes("max_upload_size", 50 << 20)
    filterTimelineLimit = try root.integer("filter_timeline_limit", 100, in: -1...Int.max)
    userIPsMaximumAgeMilliseconds = try root.milliseconds("user_ips_max_age", 28 * 86_400_000)
    tracksPuppetedUserIPs = try root.bool("track_puppeted_user_ips", false)
  }
}
