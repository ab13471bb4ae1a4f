/// The limits on what clients may send and on what is kept.
public struct LimitSettings: Sendable, Hashable {
  /// The limit on an uploaded file, in bytes.
  public var maximumUploadBytes: Int64
  /// The limit on the timeline a filter may ask for; -1 means no limit.
  public var filterTimelineLimit: Int
  /// The time in milliseconds after which clients' addresses are forgotten; nil means never.
  public var userIPsMaximumAgeMilliseconds: Int64?
  /// Whether addresses are also recorded for users whom an administrator impersonates.
  public var tracksPuppetedUserIPs: Bool

  init(_ root: SettingsSection) throws(ConfigError) {
    maximumUploadBytes = try root.bytes("max_upload_size", 50 << 20)
    filterTimelineLimit = try root.integer("filter_timeline_limit", 100, in: -1...Int.max)
    userIPsMaximumAgeMilliseconds = try root.milliseconds("user_ips_max_age", 28 * 86_400_000)
    tracksPuppetedUserIPs = try root.bool("track_puppeted_user_ips", false)
  }
}
