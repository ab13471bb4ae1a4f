import MatrixPrimitives

/// The row types of the `events` stream, whose rows are tagged pairs `["ev",[…]]`, `["state",[…]]`,
/// `["state-all",[…]]`.
public enum EventsRow {
  /// One persisted event: `["ev",[event_id, room_id, type, state_key?, redacts?, relates_to?, membership?,
  /// rejected, outlier]]`.
  public struct Event: Sendable, Hashable {
    /// The event.
    public var eventID: EventID
    /// Its room.
    public var roomID: RoomID
    /// The event type.
    public var type: Text
    /// The state key of a state event.
    public var stateKey: Text?
    /// The event that this one redacts.
    public var redacts: EventID?
    /// The event that this one relates to.
    public var relatesTo: EventID?
    /// The value of `content.membership` in an `m.room.member` event.
    public var membership: Text?
    /// Whether the event failed its auth rules.
    public var isRejected: Bool
    /// Whether the event was stored outside the room's graph.
    public var isOutlier: Bool

    /// Makes the row of an event.
    public init(
      eventID: EventID, roomID: RoomID, type: Text, stateKey: Text? = nil, redacts: EventID? = nil,
      relatesTo: EventID? = nil, membership: Text? = nil, isRejected: Bool = false, isOutlier: Bool = false
    ) {
      self.eventID = eventID
      self.roomID = roomID
      self.type = type
      self.stateKey = stateKey
      self.redacts = redacts
      self.relatesTo = relatesTo
      self.membership = membership
      self.isRejected = isRejected
      self.isOutlier = isOutlier
    }

    init(row: RowReader) throws(ReplicationError) {
      eventID = EventID(unchecked: try row.string(0))
      roomID = RoomID(unchecked: try row.string(1))
      type = try row.string(2)
      stateKey = try row.optionalString(3)
      redacts = try row.optionalString(4).map { EventID(unchecked: $0) }
      relatesTo = try row.optionalString(5).map { EventID(unchecked: $0) }
      membership = try row.optionalString(6)
      isRejected = try row.bool(7)
      isOutlier = try row.bool(8)
    }

    func write(to writer: inout JSONWriter) {
      writer.beginArray()
      writer.value(eventID.rawValue)
      writer.value(roomID.rawValue)
      writer.value(type)
      writer.nullable(stateKey)
      writer.nullable(redacts?.rawValue)
      writer.nullable(relatesTo?.rawValue)
      writer.nullable(membership)
      writer.value(isRejected)
      writer.value(isOutlier)
      writer.endArray()
    }
  }

  /// One changed entry of a room's current state: `["state",[room_id, type, state_key, event_id?]]`.
  public struct State: Sendable, Hashable {
    /// The room.
    public var roomID: RoomID
    /// The type of the entry.
    public var type: Text
    /// The state key of the entry.
    public var stateKey: Text
    /// The new event; nil when the entry was removed.
    public var eventID: EventID?

    /// Makes the row of a changed entry of the current state.
    public init(roomID: RoomID, type: Text, stateKey: Text, eventID: EventID?) {
      self.roomID = roomID
      self.type = type
      self.stateKey = stateKey
      self.eventID = eventID
    }

    init(row: RowReader) throws(ReplicationError) {
      roomID = RoomID(unchecked: try row.string(0))
      type = try row.string(1)
      stateKey = try row.string(2)
      eventID = try row.optionalString(3).map { EventID(unchecked: $0) }
    }

    func write(to writer: inout JSONWriter) {
      writer.beginArray()
      writer.value(roomID.rawValue)
      writer.value(type)
      writer.value(stateKey)
      writer.nullable(eventID?.rawValue)
      writer.endArray()
    }
  }
}

/// One backfilled event: `[event_id, room_id, type, state_key?, redacts?, relates_to?]`.
public struct BackfillRow: Sendable, Hashable {
  /// The event.
  public var eventID: EventID
  /// Its room.
  public var roomID: RoomID
  /// The event type.
  public var type: Text
  /// The state key of a state event.
  public var stateKey: Text?
  /// The event that this one redacts.
  public var redacts: EventID?
  /// The event that this one relates to.
  public var relatesTo: EventID?

  /// Makes the row of a backfilled event.
  public init(
    eventID: EventID, roomID: RoomID, type: Text, stateKey: Text? = nil, redacts: EventID? = nil,
    relatesTo: EventID? = nil
  ) {
    self.eventID = eventID
    self.roomID = roomID
    self.type = type
    self.stateKey = stateKey
    self.redacts = redacts
    self.relatesTo = relatesTo
  }

  init(row: RowReader) throws(ReplicationError) {
    eventID = EventID(unchecked: try row.string(0))
    roomID = RoomID(unchecked: try row.string(1))
    type = try row.string(2)
    stateKey = try row.optionalString(3)
    redacts = try row.optionalString(4).map { EventID(unchecked: $0) }
    relatesTo = try row.optionalString(5).map { EventID(unchecked: $0) }
  }

  func write(to writer: inout JSONWriter) {
    writer.beginArray()
    writer.value(eventID.rawValue)
    writer.value(roomID.rawValue)
    writer.value(type)
    writer.nullable(stateKey)
    writer.nullable(redacts?.rawValue)
    writer.nullable(relatesTo?.rawValue)
    writer.endArray()
  }
}

/// A sticky event: `[room_id, event_id]`.
public struct StickyEventRow: Sendable, Hashable {
  /// The room.
  public var roomID: RoomID
  /// The sticky event.
  public var eventID: EventID

  /// Makes the row of a sticky event.
  public init(roomID: RoomID, eventID: EventID) {
    self.roomID = roomID
    self.eventID = eventID
  }
}

/// An event whose state became complete: `[event_id, rejection_status_changed]`.
public struct UnPartialStatedEventRow: Sendable, Hashable {
  /// The event.
  public var eventID: EventID
  /// Whether the event changed between accepted and rejected.
  public var didRejectionChange: Bool

  /// Makes the row of an event whose state became complete.
  public init(eventID: EventID, didRejectionChange: Bool) {
    self.eventID = eventID
    self.didRejectionChange = didRejectionChange
  }
}
