/// The spans after which presence changes by itself, in milliseconds (section `presence` of the configuration).
public struct PresenceTimers: Sendable {
  /// The time after an activity for which a user counts as "currently active".
  public var lastActiveGranularity: Int64 = 60_000
  /// The time after its last sync for which a device still counts as online.
  public var syncOnlineTimeout: Int64 = 30_000
  /// The time without activity after which an online device is idle (`unavailable`).
  public var idleTimeout: Int64 = 5 * 60_000
  /// The time that a busy device may go without a sync.
  public var busyTimeout: Int64 = 60 * 60_000
  /// The interval at which other servers are reminded of a user who stays as it is.
  public var federationPingInterval: Int64 = 25 * 60_000
  /// The time for which a user of another server is believed without a reminder.
  public var federationTimeout: Int64 = 30 * 60_000

  /// Makes Synapse's defaults.
  public init() {}
}
