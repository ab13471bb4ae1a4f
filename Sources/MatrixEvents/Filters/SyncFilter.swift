import MatrixPrimitives

/// A complete filter of a client, as uploaded or given in the query of `/sync`.
///
/// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3useruseridfilter
public final class SyncFilter: Sendable {
  /// `presence`.
  public let presence: EventFilter
  /// The global `account_data`.
  public let accountData: EventFilter
  /// `room.rooms` and `room.not_rooms`.
  public let room: EventFilter
  /// `room.timeline`.
  public let timeline: EventFilter
  /// `room.state`.
  public let state: EventFilter
  /// `room.ephemeral`.
  public let ephemeral: EventFilter
  /// `room.account_data`.
  public let roomAccountData: EventFilter
  /// Whether rooms that the user has left are included (`room.include_leave`).
  public let includeLeave: Bool
  /// `event_format`.
  public let eventFormat: EventFilter.Format
  /// `event_fields`; nil sends whole events.
  public let eventFields: EventFieldSelection?

  /// The filter of a client that gave none.
  public static let none = SyncFilter(stored: .emptyObject, maximumTimelineLimit: -1)

  /// Reads a filter that a client sends as JSON; unknown members are allowed.
  ///
  /// - Parameters:
  ///   - text: the filter.
  ///   - maximumTimelineLimit: `filter_timeline_limit` of the configuration: the most that `room.timeline.limit` may ask
  ///     for; negative for no limit.
  /// - Throws: 400 `M_NOT_JSON`, 400 `M_UNKNOWN` naming the first member of a wrong shape (the code that Synapse answers with) or with too
  ///   many elements, 413 `M_TOO_LARGE`.
  public convenience init(text: Text, maximumTimelineLimit: Int) throws(MatrixError) {
    let json = try FilterShape.parse(text)
    try Self.validate(json)
    self.init(stored: json, maximumTimelineLimit: maximumTimelineLimit)
  }

  /// Reads a filter that was accepted before; what is of a wrong shape nevertheless reads as absent.
  public init(stored json: JSONValue, maximumTimelineLimit: Int) {
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
    eventFormat = EventFilter.format(json)
    let fields = json["event_fields"]?.elements?.compactMap(\.string) ?? []
    eventFields = fields.isEmpty ? nil : EventFieldSelection(fields)
  }

  /// Checks the size and the shape of a filter that a client uploads.
  ///
  /// - Throws: as ``init(text:maximumTimelineLimit:)``.
  public static func validate(_ json: JSONValue) throws(MatrixError) {
    try FilterShape(isStrict: true).check(json)
  }

  /// Whether members are loaded lazily.
  public var lazyLoadMembers: Bool { state.lazyLoadMembers }

  /// Whether no room passes.
  public var blocksAllRooms: Bool { room.blocksAllRooms }

  /// Returns whether a room passes `rooms` and `not_rooms`.
  public func passes(room id: RoomID) -> Bool { room.passes(room: id.rawValue) }
}
