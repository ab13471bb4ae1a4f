import MatrixEvents
import MatrixPrimitives
import Postgres

/// The list of published rooms, read from `rooms` and the current state.
///
/// The database finds the events and counts the members; what the events say is parsed here ("Data that breaks others" in `Docs/text.md`).
public final class PublicRoomStore: Sendable {
  /// One published room, as the room directory shows it.
  public struct Entry: Sendable {
    /// The room's id.
    public let roomID: RoomID
    /// The number of joined members.
    public let joinedMembers: Int64
    /// The room's name.
    public let name: Text?
    /// The room's topic.
    public let topic: Text?
    /// The room's main alias.
    public let canonicalAlias: Text?
    /// The avatar's address.
    public let avatarURL: Text?
    /// The history visibility: who may read the history.
    public let historyVisibility: Text?
    /// The guest access: guests may join when it is `can_join`.
    public let guestAccess: Text?
    /// The rule by which users join.
    public let joinRule: Text?
    /// The type of the room, such as `m.space`.
    public let roomType: Text?
  }

  /// A place in the list, which is ordered by members (most first) and then by room id (greatest first).
  public struct Bound: Sendable {
    /// The number of joined members.
    public let joinedMembers: Int64
    /// The room's id.
    public let roomID: Text

    /// Makes a value of its parts.
    public init(joinedMembers: Int64, roomID: Text) {
      self.joinedMembers = joinedMembers
      self.roomID = roomID
    }
  }

  /// One of the lists: this server's own, and those of application services.
  public enum Network: Sendable, Hashable {
    /// The list that users publish to.
    case main
    /// All lists together.
    case all
    /// The list of an application service's network.
    case network(appserviceID: Text, networkID: Text)

    /// Reads the id of an instance of a network, `application service|network`; nil for what is none.
    public init?(instanceID: Text) {
      let parts = instanceID.split(separator: UInt8(ascii: "|"), maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 2, !instanceID.contains(0) else { return nil }
      self = parts[0].isEmpty ? .main : .network(appserviceID: parts[0], networkID: parts[1])
    }

    fileprivate var condition: SQL {
      switch self {
      case .main: "r.is_public"
      case .all:
        "(r.is_public OR EXISTS (SELECT 1 FROM appservice_room_list AS l WHERE l.room_id = r.room_id))"
      case .network(let appserviceID, let networkID):
        """
        EXISTS (SELECT 1 FROM appservice_room_list AS l WHERE l.room_id = r.room_id
          AND l.appservice_id = \(appserviceID) AND l.network_id = \(networkID))
        """
      }
    }
  }

  /// A filter of the list.
  public struct Filter: Sendable {
    /// A text that the name, the topic or the canonical alias must contain, compared as ``SearchText``; nil for all
    /// rooms.
    public var searchTerm: Text?
    /// The room types wanted, a nil element standing for rooms without a type; nil for all.
    public var roomTypes: [Text?]?
    /// The list.
    public var network: Network

    /// Makes a value of its parts.
    public init(searchTerm: Text? = nil, roomTypes: [Text?]? = nil, network: Network = .main) {
      self.searchTerm = searchTerm
      self.roomTypes = roomTypes
      self.network = network
    }
  }

  /// A page of the list.
  public struct Page: Sendable {
    /// The rooms, in list order whatever the direction.
    public let entries: [Entry]
    /// The number of rooms that match, on all pages.
    public let total: Int64
  }

  private let database: PostgresClient
  private let events: EventStore

  init(_ context: StoreContext, events: EventStore) {
    database = context.database
    self.events = events
  }

  /// Reads up to `limit` rooms beyond a bound.
  ///
  /// Rooms with neither a public join rule, a knockable one, nor world-readable history are left out, as are empty ones. Costs one
  /// statement over all published rooms; the texts that decide about them are remembered by event.
  /// - Parameters:
  ///   - limit: the number of rooms, at least 1.
  ///   - bound: the room at which the last page ended (or began, when going backwards); nil for the start.
  ///   - forwards: whether rooms with fewer members follow.
  public func page(filter: Filter, limit: Int, bound: Bound?, forwards: Bool) async throws -> Page {
    let rooms = try await matching(try await published(bound, forwards: forwards, filter.network), filter)
    let beyond = rooms.filter(\.isBeyond)
    let page = forwards ? beyond.prefix(limit) : beyond.suffix(limit)
    let known = try await events.events(page.flatMap { $0.states.values })
    return Page(entries: page.map { Self.entry($0, known) }, total: Int64(rooms.count))
  }

  // MARK: Finding

  /// A published room with its state events of interest by type.
  private struct Candidate {
    let roomID: RoomID
    let joinedMembers: Int64
    let isBeyond: Bool
    var states: [Text: EventID] = [:]
  }

  private static let types = [
    EventType.joinRules, EventType.historyVisibility, EventType.create, EventType.name, EventType.topic,
    EventType.canonicalAlias, EventType.avatar, EventType.guestAccess,
  ]

  /// Reads all published rooms that have members, in list order.
  private func published(_ bound: Bound?, forwards: Bool, _ network: Network) async throws -> [Candidate] {
    let isBeyond: SQL =
      if let bound {
        forwards
          ? "(m.joined, r.room_id) < (\(bound.joinedMembers)::bigint, \(bound.roomID))"
          : "(m.joined, r.room_id) > (\(bound.joinedMembers)::bigint, \(bound.roomID))"
      } else { "true" }
    let rows = try await database.run(
      """
      SELECT r.room_id, m.joined, \(isBeyond), c.types, c.events FROM rooms AS r
      CROSS JOIN LATERAL (SELECT count(*) AS joined FROM current_state_events
        WHERE room_id = r.room_id AND type = 'm.room.member' AND membership = 'join') AS m
      CROSS JOIN LATERAL (SELECT array_agg(type) AS types, array_agg(event_id) AS events FROM current_state_events
        WHERE room_id = r.room_id AND state_key = '' AND type = ANY(\(Self.types)::text[])) AS c
      WHERE \(network.condition) AND m.joined > 0 AND c.types IS NOT NULL
      ORDER BY m.joined DESC, r.room_id DESC
      """)
    return try rows.map { row in
      let (room, joined, isBeyond, types, events) = try row.decode(
        Text.self, Int64.self, Bool.self, [Text].self, [Text].self)
      var candidate = Candidate(roomID: RoomID(unchecked: room), joinedMembers: joined, isBeyond: isBeyond)
      for (type, event) in zip(types, events) { candidate.states[type] = EventID(unchecked: event) }
      return candidate
    }
  }

  /// Leaves the rooms that are shown and pass a filter.
  private func matching(_ candidates: [Candidate], _ filter: Filter) async throws -> [Candidate] {
    var rooms = try await texts(of: candidates, [EventType.joinRules, EventType.historyVisibility]) { room in
      ["public", "knock", "knock_restricted"].contains(room[EventType.joinRules]?.exact)
        || room[EventType.historyVisibility]?.exact == "world_readable"
    }
    if let types = filter.roomTypes {
      let wanted = Set(types.map { $0 ?? "" })
      rooms = try await texts(of: rooms, [EventType.create]) { wanted.contains($0[EventType.create]?.exact ?? "") }
    }
    if let term = filter.searchTerm.map({ SearchText($0) }), !term.bytes.isEmpty {
      rooms = try await texts(of: rooms, [EventType.name, EventType.topic, EventType.canonicalAlias]) { room in
        room.values.contains { $0.searched?.contains(term) ?? false }
      }
    }
    return rooms
  }

  /// Leaves the rooms of which the texts of some types meet a condition.
  private func texts(
    of rooms: [Candidate], _ types: [Text], meet condition: ([Text: RoomListText]) -> Bool
  ) async throws -> [Candidate] {
    let texts = try await events.listedTexts(rooms.flatMap { room in types.compactMap { room.states[$0] } })
    return rooms.filter { room in
      var found: [Text: RoomListText] = [:]
      for type in types { found[type] = room.states[type].flatMap { texts[$0] } }
      return condition(found)
    }
  }

  private static func entry(_ room: Candidate, _ events: [EventID: StoredEvent]) -> Entry {
    func text(_ type: Text, _ key: Text) -> Text? {
      room.states[type].flatMap { events[$0]?.content[key]?.string }
    }
    return Entry(
      roomID: room.roomID, joinedMembers: room.joinedMembers, name: text(EventType.name, "name"),
      topic: text(EventType.topic, "topic"), canonicalAlias: text(EventType.canonicalAlias, "alias"),
      avatarURL: text(EventType.avatar, "url"),
      historyVisibility: text(EventType.historyVisibility, "history_visibility"),
      guestAccess: text(EventType.guestAccess, "guest_access"), joinRule: text(EventType.joinRules, "join_rule"),
      roomType: text(EventType.create, "type"))
  }
}
