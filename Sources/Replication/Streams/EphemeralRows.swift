import MatrixPrimitives

/// The presence of a user: `[user_id, state, last_active_ts, last_federation_update_ts, last_user_sync_ts,
/// status_msg?, currently_active]`. Times are milliseconds since 1970, 0 for never.
public struct PresenceRow: Sendable, Hashable {
  /// The user.
  public var userID: UserID
  /// The state: `online`, `unavailable`, `offline`, `busy` or `org.matrix.msc3026.busy`.
  public var state: Text
  /// The time of the user's last action, in milliseconds.
  public var lastActiveTS: Int64
  /// The time at which the state was last sent to or received from other servers, in milliseconds.
  public var lastFederationUpdateTS: Int64
  /// The time of the user's last sync, in milliseconds.
  public var lastUserSyncTS: Int64
  /// The user's status text.
  public var statusMessage: Text?
  /// Whether the user is active right now.
  public var isCurrentlyActive: Bool

  /// Makes the row of a presence state.
  public init(
    userID: UserID, state: Text, lastActiveTS: Int64, lastFederationUpdateTS: Int64, lastUserSyncTS: Int64,
    statusMessage: Text?, isCurrentlyActive: Bool
  ) {
    self.userID = userID
    self.state = state
    self.lastActiveTS = lastActiveTS
    self.lastFederationUpdateTS = lastFederationUpdateTS
    self.lastUserSyncTS = lastUserSyncTS
    self.statusMessage = statusMessage
    self.isCurrentlyActive = isCurrentlyActive
  }

  init(row: RowReader) throws(ReplicationError) {
    userID = UserID(unchecked: try row.string(0))
    state = try row.string(1)
    lastActiveTS = try row.integer(2)
    lastFederationUpdateTS = try row.integer(3)
    lastUserSyncTS = try row.integer(4)
    statusMessage = try row.optionalString(5)
    isCurrentlyActive = try row.bool(6)
  }

  func write(to writer: inout JSONWriter) {
    writer.beginArray()
    writer.value(userID.rawValue)
    writer.value(state)
    writer.value(lastActiveTS)
    writer.value(lastFederationUpdateTS)
    writer.value(lastUserSyncTS)
    writer.nullable(statusMessage)
    writer.value(isCurrentlyActive)
    writer.endArray()
  }
}

/// A user's presence that is to be sent to a server: `[destination, user_id]`.
public struct PresenceFederationRow: Sendable, Hashable {
  /// The receiving server.
  public var destination: Text
  /// The user.
  public var userID: UserID

  /// Makes the row of a presence state to be sent.
  public init(destination: Text, userID: UserID) {
    self.destination = destination
    self.userID = userID
  }
}

/// Everybody who types in a room, replacing the previous list: `[room_id, [user_id…]]`.
public struct TypingRow: Sendable, Hashable {
  /// The room.
  public var roomID: RoomID
  /// The users typing now, possibly none.
  public var userIDs: [UserID]

  /// Makes the row of a room's typing users.
  public init(roomID: RoomID, userIDs: [UserID]) {
    self.roomID = roomID
    self.userIDs = userIDs
  }
}

/// A read receipt: `[room_id, receipt_type, user_id, event_id, thread_id?, data]`.
public struct ReceiptRow: Sendable, Hashable {
  /// The room.
  public var roomID: RoomID
  /// The type: `m.read`, `m.read.private` or another one.
  public var receiptType: Text
  /// The reader.
  public var userID: UserID
  /// The event read.
  public var eventID: EventID
  /// The thread, `main` for the main timeline, nil for an unthreaded receipt.
  public var threadID: Text?
  /// The receipt's data object, usually `{"ts": milliseconds}`.
  public var data: JSON

  /// Makes the row of a receipt.
  public init(
    roomID: RoomID, receiptType: Text, userID: UserID, eventID: EventID, threadID: Text?, data: JSON
  ) {
    self.roomID = roomID
    self.receiptType = receiptType
    self.userID = userID
    self.eventID = eventID
    self.threadID = threadID
    self.data = data
  }

  init(row: RowReader) throws(ReplicationError) {
    roomID = RoomID(unchecked: try row.string(0))
    receiptType = try row.string(1)
    userID = UserID(unchecked: try row.string(2))
    eventID = EventID(unchecked: try row.string(3))
    threadID = try row.optionalString(4)
    data = try row.object(5)
  }

  func write(to writer: inout JSONWriter) {
    writer.beginArray()
    writer.value(roomID.rawValue)
    writer.value(receiptType)
    writer.value(userID.rawValue)
    writer.value(eventID.rawValue)
    writer.nullable(threadID)
    writer.value(data)
    writer.endArray()
  }
}

/// An EDU for the federation senders: `[type, data]`.
///
/// `pd` is presence with its destinations, `k` an EDU with a key by which a later one replaces it, `e` a plain EDU.
public struct FederationRow: Sendable, Hashable {
  /// The type: `pd`, `k` or `e`.
  public var type: Text
  /// The object that goes with the type.
  public var data: JSON

  /// Makes a row for the federation senders.
  public init(type: Text, data: JSON) {
    self.type = type
    self.data = data
  }
}
