import MatrixPrimitives

/// Holds what the configuration says about syncing.
public struct SyncSettings: Sendable {
  /// Holds the most events a client's filter may ask for in a timeline; negative for no limit (`filter_timeline_limit`).
  public var filterTimelineLimit = 100
  /// Tells whether presence is sent to clients (`presence.enabled`).
  public var isPresenceEnabled = true
  /// Tells whether users without presence are sent in an initial sync, too (`presence.include_offline_users_on_sync`).
  public var includesOfflineUsers = false
  /// Holds rooms that never appear in a sync (`exclude_rooms_from_sync`).
  public var excludedRooms: Set<RoomID> = []
  /// Holds for how long an answer is given again to the same request, in milliseconds (`caches.sync_response_cache_duration`).
  public var answerLifetimeMilliseconds: Int64 = 120_000
  /// Tells whether unread counts are kept (`push.enabled`).
  public var countsNotifications = true

  /// Makes Synapse's defaults.
  public init() {}
}
