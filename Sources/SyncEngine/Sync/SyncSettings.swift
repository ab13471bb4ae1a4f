import MatrixPrimitives

/// What the configuration says about syncing.
public struct SyncSettings: Sendable {
  /// The most events a client's filter may ask for in a timeline; negative for no limit (`filter_timeline_limit`).
  public var filterTimelineLimit = 100
  /// Whether presence is sent to clients (`presence.enabled`).
  public var isPresenceEnabled = true
  /// Whether users without presence are sent in an initial sync, too (`presence.include_offline_users_on_sync`).
  public var includesOfflineUsers = false
  /// The rooms that never appear in a sync (`exclude_rooms_from_sync`).
  public var excludedRooms: Set<RoomID> = []
  /// The time for which an answer is given again to the same request, in milliseconds
  /// (`caches.sync_response_cache_duration`).
  public var answerLifetimeMilliseconds: Int64 = 120_000
  /// Whether unread counts are kept (`push.enabled`).
  public var countsNotifications = true

  /// Makes Synapse's defaults.
  public init() {}
}
