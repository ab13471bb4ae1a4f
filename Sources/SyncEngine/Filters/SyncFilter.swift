import MatrixPrimitives

/// Holds a complete filter of a client, as uploaded or given in the query of `/sync`.
public final class SyncFilter: Sendable {
  /// Tells in which form events go to the client.
  public enum EventFormat: Sendable {
    /// Asks for the client form of the specification.
    case client
    /// Asks for events as servers exchange them.
    case federation
  }

  /// Holds `presence`.
  public let presence: EventFilter
  /// Holds the global `account_data`.
  public let accountData: EventFilter
  /// Holds `room.rooms` and `room.not_rooms`.
  public let room: EventFilter
  /// Holds `room.timeline`.
  public let timeline: EventFilter
  /// Holds `room.state`.
  public let state: EventFilter
  /// Holds `room.ephemeral`.
  public let ephemeral: EventFilter
  /// Holds `room.account_data`.
  public let roomAccountData: EventFilter
  /// Holds `room.include_leave`.
  public let includeLeave: Bool
  /// Holds `event_format`.
  public let eventFormat: EventFormat
  /// Holds `event_fields`; nil sends whole events.
  public let eventFields: [Text]?

  /// Holds the filter of a client that gave none.
  public static let none = SyncFilter(JSONValue.emptyObject, maximumTimelineLimit: -1)

  /// Reads a filter that ``validate(_:)`` has accepted.
  ///
  /// - Parameters:
  ///   - json: the filter.
  ///   - maximumTimelineLimit: `filter_timeline_limit` of the configuration: the most that `room.timeline.limit` may ask
  ///     for; negative for no limit.
  public init(_ json: JSONValue, maximumTimelineLimit: Int) {
    let room = json["room"]
    presence = EventFilter(json["presence"])
    accountData = EventFilter(json["account_data"])
    var rooms = EventFilter()
    let all = EventFilter(room)
    rooms.rooms = all.rooms
    rooms.notRooms = all.notRooms
    self.room = rooms
    var timeline = EventFilter(room?["timeline"])
    if maximumTimelineLimit >= 0, room?["timeline"]?["limit"] != nil {
      timeline.limit = min(timeline.limit, maximumTimelineLimit)
    }
    self.timeline = timeline
    state = EventFilter(room?["state"])
    ephemeral = EventFilter(room?["ephemeral"])
    roomAccountData = EventFilter(room?["account_data"])
    includeLeave = room?["include_leave"]?.bool ?? false
    eventFormat = json["event_format"]?.string == "federation" ? .federation : .client
    let fields = json["event_fields"]?.elements?.compactMap(\.string) ?? []
    eventFields = fields.isEmpty ? nil : fields
  }

  /// Tells whether members are loaded lazily.
  public var lazyLoadMembers: Bool { state.lazyLoadMembers }

  /// Tells whether no room passes.
  public var blocksAllRooms: Bool { room.blocksAllRooms }

  /// Tells whether a room passes `rooms` and `not_rooms`.
  public func passes(room id: RoomID) -> Bool { room.passes(room: id.rawValue) }
}
