import MatrixPrimitives
import Synchronization

/// An immutable event: the JSON it was parsed from and the fields that rules need, read once.
///
/// The JSON is what the database stores: no `event_id` from room version 3 on, no internal metadata. Many events are kept in memory, so
/// what is seldom asked for is read from the JSON each time.
public final class Event: Sendable {
  /// The event's id.
  public let eventID: EventID
  /// The room's id; for a create event of version 12 it follows from the event id.
  public let roomID: RoomID
  /// The event type.
  public let type: Text
  /// The state key; nil for events that are no state.
  public let stateKey: Text?
  /// The user who sent it.
  public let sender: UserID
  /// The content, always an object.
  public let content: JSONValue
  /// The sending server's time in milliseconds since 1970.
  public let originServerTS: Int64
  /// The claimed distance from the create event, 0 to 2^63 − 1.
  public let depth: Int64
  /// The event a redaction aims at, from wherever the room version puts it.
  public let redacts: EventID?
  /// The unsigned data the JSON came with.
  public let unsigned: JSONValue?
  /// The room version the event was read by.
  public let version: RoomVersion
  /// The whole event.
  public let json: JSONValue
  private let knownClientForm = AtomicLazyReference<ClientForm>()

  /// Reads an event.
  /// - Parameters:
  ///   - value: the event's object.
  ///   - version: the version of its room.
  ///   - eventID: the id, if it is known (a stored event). Without it the id is computed, or read in versions 1 and 2, and the event's
  ///     size and canonical form are checked too, which stored events have behind them.
  /// - Throws: `EventError` when a field is missing, has the wrong type or is out of range.
  public static func parse(
    _ value: JSONValue, version: RoomVersion, eventID: EventID? = nil
  ) throws(EventError) -> Event {
    var reader = EventReader(value: value, version: version)
    return try reader.read(eventID: eventID)
  }

  init(
    eventID: EventID, roomID: RoomID, type: Text, stateKey: Text?, sender: UserID, content: JSONValue,
    originServerTS: Int64, depth: Int64, redacts: EventID?, version: RoomVersion, json: JSONValue
  ) {
    self.eventID = eventID
    self.roomID = roomID
    self.type = type
    self.stateKey = stateKey
    self.sender = sender
    self.content = content
    self.originServerTS = originServerTS
    self.depth = depth
    self.redacts = redacts
    self.unsigned = json["unsigned"].flatMap { $0.kind == .object ? $0 : nil }
    self.version = version
    self.json = json
  }

  /// The event as clients get it, made when the first one asks.
  var clientForm: ClientForm { knownClientForm.load() ?? knownClientForm.storeIfNil(ClientForm(self)) }

  /// The events this one follows; read anew each time.
  public var prevEvents: [EventID] { EventReader.references("prev_events", of: json, version: version) }

  /// The events that authorise this one, as written; from version 12 on without the implied create event. Read anew
  /// each time.
  public var authEvents: [EventID] { EventReader.references("auth_events", of: json, version: version) }

  /// Whether the event is state.
  public var isState: Bool { stateKey != nil }

  /// The slot of the state that the event belongs in; nil if it is no state.
  public var key: StateKey? { stateKey.map { StateKey(type, $0) } }

  /// The value of `content.membership` in a membership event; nil for every other type and for anything but a string.
  public var membership: Text? {
    type == EventType.member ? content["membership"]?.string : nil
  }

  /// Whether this is the event that began its room.
  public var isCreate: Bool { type == EventType.create && stateKey == "" }

  /// The id of the create event that the room id implies in version 12; nil before, and for the create event itself.
  public var impliedCreateEventID: EventID? {
    guard version.isRoomIDCreateHash, !isCreate else { return nil }
    return EventID(unchecked: "$" + roomID.rawValue.dropFirst())
  }

  /// The events that authorise this one, the implied create event included.
  public var authEventsWithCreate: [EventID] {
    EventReader.references("auth_events", of: json, version: version, and: impliedCreateEventID)
  }

  /// Makes the redacted form of the event: same id, only the keys its room version keeps.
  /// - Throws: `EventError` if the event has no canonical form.
  public func redacted() throws(EventError) -> Event {
    let bytes = try Redaction.redact(json, version: version)
    let value: JSONValue
    do {
      value = try JSONValue.parse(bytes, maximumDepth: JSONDocument.storedDepth)
    } catch {
      throw EventError(error)
    }
    return try Event.parse(value, version: version, eventID: eventID)
  }
}
