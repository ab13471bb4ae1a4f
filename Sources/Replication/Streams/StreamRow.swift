import MatrixPrimitives

/// One row of any stream, typed.
///
/// On the wire a row is a JSON array; the format is documented at each type. Observed on Synapse's wire.
public enum StreamRow: Sendable, Hashable {
  /// A persisted event (stream `events`).
  case event(EventsRow.Event)
  /// A changed entry of a room's current state (stream `events`).
  case eventState(EventsRow.State)
  /// The news that much of a room's current state changed (stream `events`): `["state-all",[room_id]]`.
  case eventStateAll(RoomID)
  /// A backfilled event.
  case backfill(BackfillRow)
  /// A presence state.
  case presence(PresenceRow)
  /// A presence state to be sent to a server.
  case presenceFederation(PresenceFederationRow)
  /// The users who type in a room.
  case typing(TypingRow)
  /// A receipt.
  case receipt(ReceiptRow)
  /// A user whose push rules changed: `[user_id]`.
  case pushRules(UserID)
  /// A changed pusher.
  case pusher(PusherRow)
  /// A stale cache entry.
  case caches(CachesRow)
  /// A changed device list.
  case deviceLists(DeviceListRow)
  /// A user id, or a server name, that has new to-device messages: `[entity]`.
  case toDevice(Text)
  /// Changed account data.
  case accountData(AccountDataRow)
  /// An EDU for the federation senders.
  case federation(FederationRow)
  /// A changed thread subscription.
  case threadSubscription(ThreadSubscriptionRow)
  /// A sticky event.
  case stickyEvent(StickyEventRow)
  /// A room whose state became complete: `[room_id]`.
  case unPartialStatedRoom(RoomID)
  /// An event whose state became complete.
  case unPartialStatedEvent(UnPartialStatedEventRow)
  /// A changed quarantine.
  case quarantinedMedia(QuarantinedMediaRow)
  /// A changed profile.
  case profileUpdate(ProfileUpdateRow)
  /// The row of a stream without a type of its own.
  case other(StreamName, JSON)
}

extension StreamRow {
  /// Reads a row; surplus fields at its end are ignored.
  /// - Parameters:
  ///   - stream: stream that the row belongs to.
  ///   - json: the row, an array.
  /// - Throws: `ReplicationError` with `malformedRow` when a field is missing or has another type.
  public init(stream: StreamName, json: JSONValue) throws(ReplicationError) {
    let row = try RowReader(stream: stream, value: json)
    switch stream {
    case .events: self = try Self.events(row)
    case .backfill: self = .backfill(try BackfillRow(row: row))
    case .presence: self = .presence(try PresenceRow(row: row))
    case .presenceFederation:
      self = .presenceFederation(
        PresenceFederationRow(destination: try row.string(0), userID: UserID(unchecked: try row.string(1))))
    case .typing:
      let users = try row.strings(1).map { UserID(unchecked: $0) }
      self = .typing(TypingRow(roomID: RoomID(unchecked: try row.string(0)), userIDs: users))
    case .receipts: self = .receipt(try ReceiptRow(row: row))
    case .pushRules: self = .pushRules(UserID(unchecked: try row.string(0)))
    case .pushers:
      self = .pusher(
        PusherRow(
          userID: UserID(unchecked: try row.string(0)), appID: try row.string(1), pushKey: try row.string(2),
          isDeleted: try row.bool(3)))
    case .caches: self = .caches(try CachesRow(row: row))
    case .deviceLists:
      self = .deviceLists(
        DeviceListRow(
          userID: UserID(unchecked: try row.string(0)), isSignature: try row.bool(1),
          areHostsCalculated: try row.bool(2)))
    case .toDevice: self = .toDevice(try row.string(0))
    case .accountData:
      let room = try row.optionalString(1).map { RoomID(unchecked: $0) }
      self = .accountData(
        AccountDataRow(userID: UserID(unchecked: try row.string(0)), roomID: room, type: try row.string(2)))
    default: self = try Self.rare(row)
    }
  }

  private static func events(_ row: RowReader) throws(ReplicationError) -> StreamRow {
    let tag = try row.string(0)
    let fields = try row.row(1)
    switch tag {
    case "ev": return .event(try EventsRow.Event(row: fields))
    case "state": return .eventState(try EventsRow.State(row: fields))
    case "state-all": return .eventStateAll(RoomID(unchecked: try fields.string(0)))
    default: throw ReplicationError(.malformedRow, "events: unknown kind of row")
    }
  }

  private static func rare(_ row: RowReader) throws(ReplicationError) -> StreamRow {
    switch row.stream {
    case .federation:
      return .federation(FederationRow(type: try row.string(0), data: try row.object(1)))
    case .threadSubscriptions:
      return .threadSubscription(
        ThreadSubscriptionRow(
          userID: UserID(unchecked: try row.string(0)), roomID: RoomID(unchecked: try row.string(1)),
          eventID: EventID(unchecked: try row.string(2))))
    case .stickyEvents:
      return .stickyEvent(
        StickyEventRow(
          roomID: RoomID(unchecked: try row.string(0)), eventID: EventID(unchecked: try row.string(1))))
    case .unPartialStatedRoom: return .unPartialStatedRoom(RoomID(unchecked: try row.string(0)))
    case .unPartialStatedEvent:
      return .unPartialStatedEvent(
        UnPartialStatedEventRow(
          eventID: EventID(unchecked: try row.string(0)), didRejectionChange: try row.bool(1)))
    case .quarantinedMedia:
      return .quarantinedMedia(
        QuarantinedMediaRow(
          origin: try row.string(0), mediaID: try row.string(1), isQuarantined: try row.bool(2)))
    case .profileUpdates:
      return .profileUpdate(
        ProfileUpdateRow(
          userID: UserID(unchecked: try row.string(0)), action: try row.string(1),
          affectedFields: try row.optionalStrings(2)))
    default: return .other(row.stream, row.value.json)
    }
  }
}

extension StreamRow {
  /// Writes the row as the JSON array of the wire.
  /// - Parameter writer: receives the array.
  public func write(to writer: inout JSONWriter) {
    switch self {
    case .event(let row): writer.tagged("ev") { row.write(to: &$0) }
    case .eventState(let row): writer.tagged("state") { row.write(to: &$0) }
    case .eventStateAll(let room): writer.tagged("state-all") { $0.list([room.rawValue]) }
    case .backfill(let row): row.write(to: &writer)
    case .presence(let row): row.write(to: &writer)
    case .presenceFederation(let row): writer.list([row.destination, row.userID.rawValue])
    case .receipt(let row): row.write(to: &writer)
    case .pushRules(let user): writer.list([user.rawValue])
    case .caches(let row): row.write(to: &writer)
    case .toDevice(let entity): writer.list([entity])
    case .threadSubscription(let row):
      writer.list([row.userID.rawValue, row.roomID.rawValue, row.eventID.rawValue])
    case .stickyEvent(let row): writer.list([row.roomID.rawValue, row.eventID.rawValue])
    case .unPartialStatedRoom(let room): writer.list([room.rawValue])
    case .other(_, let json): writer.value(json)
    case .typing, .pusher, .deviceLists, .accountData, .federation, .unPartialStatedEvent, .quarantinedMedia,
      .profileUpdate:
      writer.beginArray()
      writeMixedFields(to: &writer)
      writer.endArray()
    }
  }

  private func writeMixedFields(to writer: inout JSONWriter) {
    switch self {
    case .typing(let row):
      writer.value(row.roomID.rawValue)
      writer.beginArray()
      for user in row.userIDs { writer.value(user.rawValue) }
      writer.endArray()
    case .pusher(let row):
      writer.value(row.userID.rawValue)
      writer.value(row.appID)
      writer.value(row.pushKey)
      writer.value(row.isDeleted)
    case .deviceLists(let row):
      writer.value(row.userID.rawValue)
      writer.value(row.isSignature)
      writer.value(row.areHostsCalculated)
    case .accountData(let row):
      writer.value(row.userID.rawValue)
      writer.nullable(row.roomID?.rawValue)
      writer.value(row.type)
    case .federation(let row):
      writer.value(row.type)
      writer.value(row.data)
    case .unPartialStatedEvent(let row):
      writer.value(row.eventID.rawValue)
      writer.value(row.didRejectionChange)
    case .quarantinedMedia(let row):
      writer.value(row.origin)
      writer.value(row.mediaID)
      writer.value(row.isQuarantined)
    case .profileUpdate(let row):
      writer.value(row.userID.rawValue)
      writer.value(row.action)
      if let fields = row.affectedFields { writer.list(fields) } else { writer.null() }
    default: break
    }
  }

  /// The row as compact JSON bytes.
  public var encoded: [UInt8] {
    var writer = JSONWriter(capacity: 192)
    write(to: &writer)
    return writer.bytes
  }
}

extension JSONWriter {
  fileprivate mutating func tagged(_ tag: Text, _ body: (inout JSONWriter) -> Void) {
    beginArray()
    value(tag)
    body(&self)
    endArray()
  }
}
