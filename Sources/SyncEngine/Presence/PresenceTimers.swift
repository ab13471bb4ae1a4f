/// Holds the spans after which presence changes by itself, in milliseconds (section `presence` of the configuration).
public struct PresenceTimers: Sendable {
  /// Holds for how long after an activity a user counts as "currently active".
  public var lastActiveGranularity: Int64 = 60_000
  /// Holds how long after its last sync a device still counts as online.
  public var syncOnlineTimeout: Int64 = 30_000
  /// Holds how long without activity makes an online device idle (`unavailable`).
  public var idleTimeout: Int64 = 5 * 60_000
  /// Holds how long a busy device may go without a sync.
  public var busyTimeout: Int64 = 60 * 60_000
  /// Holds how often other servers are reminded of a user who stays as it is.
  public var federationPingInterval: Int64 = 25 * 60_000
  /// Holds how long a user of another server is believed without a reminder.
  public var federationTimeout: Int64 = 30 * 60_000

  /// Makes Synapse's defaults.
  public init() {}
}
