import MatrixPrimitives

/// Tells which cached function results are stale: `[cache_func, keys or null, invalidation_ts]`.
public struct CachesRow: Sendable, Hashable {
  /// Names the function as Synapse spells it (`get_user_by_id`, `cs_cache_fake`, …).
  public var cacheFunction: Text
  /// Holds the function's arguments; nil clears the whole cache, empty is the key of a function without arguments.
  public var keys: [Text]?
  /// Holds when the data changed, in milliseconds; some rows of the table have none.
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

/// Tells that a pusher was set or removed: `[user_id, app_id, pushkey, deleted]`.
public struct PusherRow: Sendable, Hashable {
  /// Identifies the owner.
  public var userID: UserID
  /// Holds the application's id.
  public var appID: Text
  /// Holds the key of the device at its push gateway.
  public var pushKey: Text
  /// Tells that the pusher is gone.
  public var isDeleted: Bool

  /// Makes the row of a changed pusher.
  public init(userID: UserID, appID: Text, pushKey: Text, isDeleted: Bool) {
    self.userID = userID
    self.appID = appID
    self.pushKey = pushKey
    self.isDeleted = isDeleted
  }
}

/// Tells that a user's devices changed: `[user_id, is_signature, hosts_calculated]`.
public struct DeviceListRow: Sendable, Hashable {
  /// Identifies the user whose devices or signatures changed.
  public var userID: UserID
  /// Tells that only a cross-signing signature made by the user changed.
  public var isSignature: Bool
  /// Tells that the rows of `device_lists_outbound_pokes` for this token exist; false means "the devices changed".
  public var areHostsCalculated: Bool

  /// Makes the row of a changed device list.
  public init(userID: UserID, isSignature: Bool, areHostsCalculated: Bool) {
    self.userID = userID
    self.isSignature = isSignature
    self.areHostsCalculated = areHostsCalculated
  }
}

/// Tells that account data or tags changed: `[user_id, room_id?, data_type]`.
public struct AccountDataRow: Sendable, Hashable {
  /// Identifies the user.
  public var userID: UserID
  /// Identifies the room; nil for global account data.
  public var roomID: RoomID?
  /// Holds the type; `m.tag` for the tags of a room.
  public var type: Text

  /// Makes the row of changed account data.
  public init(userID: UserID, roomID: RoomID?, type: Text) {
    self.userID = userID
    self.roomID = roomID
    self.type = type
  }
}

/// Tells that a thread subscription changed: `[user_id, room_id, event_id]`.
public struct ThreadSubscriptionRow: Sendable, Hashable {
  /// Identifies the subscriber.
  public var userID: UserID
  /// Identifies the room.
  public var roomID: RoomID
  /// Identifies the root of the thread.
  public var eventID: EventID

  /// Makes the row of a changed thread subscription.
  public init(userID: UserID, roomID: RoomID, eventID: EventID) {
    self.userID = userID
    self.roomID = roomID
    self.eventID = eventID
  }
}

/// Tells that media was put into or taken out of quarantine: `[origin, media_id, quarantined]`.
public struct QuarantinedMediaRow: Sendable, Hashable {
  /// Names the server the media comes from.
  public var origin: Text
  /// Identifies the media within its server.
  public var mediaID: Text
  /// Tells whether the media is in quarantine now.
  public var isQuarantined: Bool

  /// Makes the row of a changed quarantine.
  public init(origin: Text, mediaID: Text, isQuarantined: Bool) {
    self.origin = origin
    self.mediaID = mediaID
    self.isQuarantined = isQuarantined
  }
}

/// Tells what happened to a profile: `[user_id, action, fields or null]`.
public struct ProfileUpdateRow: Sendable, Hashable {
  /// Identifies the user.
  public var userID: UserID
  /// Holds `update`, `left_room` or `joined_room`.
  public var action: Text
  /// Names the changed fields; nil unless the action is `update`.
  public var affectedFields: [Text]?

  /// Makes the row of a changed profile.
  public init(userID: UserID, action: Text, affectedFields: [Text]?) {
    self.userID = userID
    self.action = action
    self.affectedFields = affectedFields
  }
}
