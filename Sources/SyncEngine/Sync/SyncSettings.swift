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
  /// The rooms whose members see nothing of each other's presence unless they share another one (`exclude_rooms_from_presence`).
  public var roomsWithoutPresence: Set<RoomID> = []
  /// The time for which an answer is given again to the same request, in milliseconds
  /// (`caches.sync_response_cache_duration`).
  public var answerLifetimeMilliseconds: Int64 = 120_000
  /// Whether unread counts are kept (`push.enabled`).
  public var countsNotifications = true
  /// Whether rooms come with the number of their unread events (`experimental_features.msc2654_enabled`).
  public var showsUnreadCounts = false
  /// Whether counts of threads are also asked for and told under the name of MSC3773 (`experimental_features.msc3773_enabled`).
  public var acceptsUnstableThreadCounts = false
  /// Whether the state after the timeline is also given under the name of MSC4222 (`experimental_features.msc4222_enabled`).
  public var acceptsUnstableStateAfter = false
  /// Whether empty account data counts as deleted (`experimental_features.msc3391_enabled`).
  public var deletesAccountData = false

  /// Makes Synapse's defaults.
  public init() {}
}
