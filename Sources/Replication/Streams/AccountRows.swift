import MatrixPrimitives

/// The cached function results that are stale: `[cache_func, keys or null, invalidation_ts]`.
public struct CachesRow: Sendable, Hashable {
  /// The function's name as Synapse spells it (`get_user_by_id`, `cs_cache_fake`, …).
  public var cacheFunction: Text
  /// The function's arguments; nil clears the whole cache, empty is the key of a function without arguments.
  public var keys: [Text]?
  /// The time at which the data changed, in milliseconds; some rows of the table have none.
  public var invalidationTS: Int64?

  /// Makes the row of a stale cache entry.
  public init(cacheFunction: Text, keys: [Text]?, invalidationTS: Int64?) {
    self.cacheFunction = cacheFunction
    self.keys = keys
    self.invalidationTS = invalidationTS
  }

  init(row: RowReader) throws(ReplicationError) {
    cacheFunction = try row.string(0)
    keys = try row.optionalStrings(1)
    invalidationTS = try row.field(2).isNull ? nil : try row.integer(2)
  }

  func write(to writer: inout JSONWriter) {
    writer.beginArray()
    writer.value(cacheFunction)
    if let keys { writer.list(keys) } else { writer.null() }
    if let invalidationTS { writer.value(invalidationTS) } else { writer.null() }
    writer.endArray()
  }
}

/// A pusher that was set or removed: `[user_id, app_id, pushkey, deleted]`.
public struct PusherRow: Sendable, Hashable {
  /// The owner.
  public var userID: UserID
  /// The application's id.
  public var appID: Text
  /// The key of the device at its push gateway.
  public var pushKey: Text
  /// Whether the pusher is gone.
  public var isDeleted: Bool

  /// Makes the row of a changed pusher.
  public init(userID: UserID, appID: Text, pushKey: Text, isDeleted: Bool) {
    self.userID = userID
    self.appID = appID
    self.pushKey = pushKey
    self.isDeleted = isDeleted
  }
}

/// A change of a user's devices: `[user_id, is_signature, hosts_calculated]`.
public struct DeviceListRow: Sendable, Hashable {
  /// The user whose devices or signatures changed.
  public var userID: UserID
  /// Whether only a cross-signing signature made by the user changed.
  public var isSignature: Bool
  /// Whether the rows of `device_lists_outbound_pokes` for this token exist; false means "the devices changed".
  public var areHostsCalculated: Bool

  /// Makes the row of a changed device list.
  public init(userID: UserID, isSignature: Bool, areHostsCalculated: Bool) {
    self.userID = userID
    self.isSignature = isSignature
    self.areHostsCalculated = areHostsCalculated
  }
}

/// A change of account data or tags: `[user_id, room_id?, data_type]`.
public struct AccountDataRow: Sendable, Hashable {
  /// The user.
  public var userID: UserID
  /// The room; nil for global account data.
  public var roomID: RoomID?
  /// The type; `m.tag` for the tags of a room.
  public var type: Text

  /// Makes the row of changed account data.
  public init(userID: UserID, roomID: RoomID?, type: Text) {
    self.userID = userID
    self.roomID = roomID
    self.type = type
  }
}

/// A change of a thread subscription: `[user_id, room_id, event_id]`.
public struct ThreadSubscriptionRow: Sendable, Hashable {
  /// The subscriber.
  public var userID: UserID
  /// The room.
  public var roomID: RoomID
  /// The root of the thread.
  public var eventID: EventID

  /// Makes the row of a changed thread subscription.
  public init(userID: UserID, roomID: RoomID, eventID: EventID) {
    self.userID = userID
    self.roomID = roomID
    self.eventID = eventID
  }
}

/// Media that was put into or taken out of quarantine: `[origin, media_id, quarantined]`.
public struct QuarantinedMediaRow: Sendable, Hashable {
  /// The server the media comes from.
  public var origin: Text
  /// The id of the media within its server.
  public var mediaID: Text
  /// Whether the media is in quarantine now.
  public var isQuarantined: Bool

  /// Makes the row of a changed quarantine.
  public init(origin: Text, mediaID: Text, isQuarantined: Bool) {
    self.origin = origin
    self.mediaID = mediaID
    self.isQuarantined = isQuarantined
  }
}

/// A change of a profile: `[user_id, action, fields or null]`.
public struct ProfileUpdateRow: Sendable, Hashable {
  /// The user.
  public var userID: UserID
  /// The action: `update`, `left_room` or `joined_room`.
  public var action: Text
  /// The names of the changed fields; nil unless the action is `update`.
  public var affectedFields: [Text]?

  /// Makes the row of a changed profile.
  public init(userID: UserID, action: Text, affectedFields: [Text]?) {
    self.userID = userID
    self.action = action
    self.affectedFields = affectedFields
  }
}
