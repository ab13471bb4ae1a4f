import MatrixEvents
import MatrixPrimitives
import Postgres

/// Reads the list of published rooms from `rooms` and the current state.
public final class PublicRoomStore: Sendable {
  /// Describes one published room, as the room directory shows it.
  public struct Entry: Sendable {
    /// Holds the room's id.
    public let roomID: RoomID
    /// Holds the number of joined members.
    public let joinedMembers: Int64
    /// Holds the room's name.
    public let name: String?
    /// Holds the room's topic.
    public let topic: String?
    /// Holds the room's main alias.
    public let canonicalAlias: String?
    /// Holds the address of the avatar.
    public let avatarURL: String?
    /// Holds who may read the history.
    public let historyVisibility: String?
    /// Tells whether guests may join: `can_join` or not.
    public let guestAccess: String?
    /// Holds how one joins.
    public let joinRule: String?
    /// Holds the type of the room, such as `m.space`.
    public let roomType: String?
  }

  /// Marks a place in the list, which is ordered by members (most first) and then by room id (greatest first).
  public struct Bound: Sendable {
    /// Holds the number of joined members.
    public let joinedMembers: Int64
    /// Holds the room's id.
    public let roomID: String

    /// Makes a value of its parts.
    public init(joinedMembers: Int64, roomID: String) {
      self.joinedMembers = joinedMembers
      self.roomID = roomID
    }
  }

  /// Narrows the list.
  public struct Filter: Sendable {
    /// Holds a text that the name, the topic or the canonical alias must contain, in any case; nil for all rooms.
    public var searchTerm: String?
    /// Holds the room types wanted, a nil element standing for rooms without a type; nil for all.
    public var roomTypes: [String?]?

    /// Makes a value of its parts.
    public init(searchTerm: String? = nil, roomTypes: [String?]? = nil) {
      self.searchTerm = searchTerm
      self.roomTypes = roomTypes
    }
  }

  private let database: PostgresClient

  /// Makes the store.
  public init(database: PostgresClient) {
    self.database = database
  }

  /// Reads up to `limit` rooms beyond a bound, in list order whatever the direction.
  ///
  /// - Parameters:
  ///   - limit: the number of rooms, at least 1.
  ///   - bound: the room at which the last page ended (or began, when going backwards); nil for the start.
  ///   - forwards: whether rooms with fewer members follow.
  public func rooms(filter: Filter, limit: Int, bound: Bound?, forwards: Bool) async throws -> [Entry] {
    var sql: SQL = "\(Self.summaries(filter)) SELECT * FROM summaries"
    if let bound {
      sql =
        forwards
        ? "\(sql) WHERE (joined, room_id) < (\(bound.joinedMembers)::bigint, \(bound.roomID))"
        : "\(sql) WHERE (joined, room_id) > (\(bound.joinedMembers)::bigint, \(bound.roomID))"
    }
    sql =
      forwards
      ? "\(sql) ORDER BY joined DESC, room_id DESC LIMIT \(Int64(limit))"
      : "\(sql) ORDER BY joined ASC, room_id ASC LIMIT \(Int64(limit))"
    let entries = try await database.read(sql).map(Self.entry)
    return forwards ? entries : entries.reversed()
  }

  /// Counts the rooms that match.
  public func count(filter: Filter) async throws -> Int64 {
    let rows = try await database.read("\(Self.summaries(filter)) SELECT count(*) FROM summaries")
    return try rows.first?.get(0, as: Int64.self) ?? 0
  }

  /// Builds the common table expressions: the content of the interesting state events of every published room, one row a
  /// room. Rooms with neither a public join rule, a knockable one, nor world-readable history are left out, as are empty ones.
  private static func summaries(_ filter: Filter) -> SQL {
    let found: SQL = """
      WITH states AS (
        SELECT r.room_id,
          max(CASE WHEN c.type = 'm.room.name' THEN j.json::json->'content'->>'name' END) AS name,
          max(CASE WHEN c.type = 'm.room.topic' THEN j.json::json->'content'->>'topic' END) AS topic,
          max(CASE WHEN c.type = 'm.room.canonical_alias' THEN j.json::json->'content'->>'alias' END) AS alias,
          max(CASE WHEN c.type = 'm.room.avatar' THEN j.json::json->'content'->>'url' END) AS avatar,
          max(CASE WHEN c.type = 'm.room.history_visibility'
            THEN j.json::json->'content'->>'history_visibility' END) AS visibility,
          max(CASE WHEN c.type = 'm.room.guest_access' THEN j.json::json->'content'->>'guest_access' END) AS guests,
          max(CASE WHEN c.type = 'm.room.join_rules' THEN j.json::json->'content'->>'join_rule' END) AS rule,
          max(CASE WHEN c.type = 'm.room.create' THEN j.json::json->'content'->>'type' END) AS room_type
        FROM rooms AS r
        JOIN current_state_events AS c ON c.room_id = r.room_id AND c.state_key = '' AND c.type IN (
          'm.room.name', 'm.room.topic', 'm.room.canonical_alias', 'm.room.avatar', 'm.room.history_visibility',
          'm.room.guest_access', 'm.room.join_rules', 'm.room.create')
        JOIN event_json AS j ON j.event_id = c.event_id
        WHERE r.is_public GROUP BY r.room_id
      ), members AS (
        SELECT s.room_id, (SELECT count(*) FROM current_state_events AS m
          WHERE m.room_id = s.room_id AND m.type = 'm.room.member' AND m.membership = 'join') AS joined
        FROM states AS s
      ), summaries AS (
        SELECT s.room_id, m.joined, s.name, s.topic, s.alias, s.avatar, s.visibility, s.guests, s.rule, s.room_type
        FROM states AS s JOIN members AS m ON m.room_id = s.room_id
        WHERE m.joined > 0 AND (s.rule IN ('public', 'knock', 'knock_restricted') OR s.visibility = 'world_readable')
      """
    return "\(found)\(condition(filter)))"
  }

  private static func condition(_ filter: Filter) -> SQL {
    var sql: SQL = ""
    if let term = filter.searchTerm, !term.isEmpty {
      sql = """
        \(sql) AND (strpos(lower(coalesce(s.name, '')), lower(\(term))) > 0
          OR strpos(lower(coalesce(s.topic, '')), lower(\(term))) > 0
          OR strpos(lower(coalesce(s.alias, '')), lower(\(term))) > 0)
        """
    }
    if let types = filter.roomTypes {
      let named = types.compactMap { $0 }
      let untyped = types.contains { $0 == nil }
      sql = """
        \(sql) AND (coalesce(s.room_type, '') = ANY(\(named)::text[])
          OR (\(untyped)::boolean AND coalesce(s.room_type, '') = ''))
        """
    }
    return sql
  }

  private static func entry(_ row: PostgresRow) throws -> Entry {
    Entry(
      roomID: RoomID(unchecked: try row.get(0, as: String.self)), joinedMembers: try row.get(1, as: Int64.self),
      name: try row.get(2, as: String?.self), topic: try row.get(3, as: String?.self),
      canonicalAlias: try row.get(4, as: String?.self), avatarURL: try row.get(5, as: String?.self),
      historyVisibility: try row.get(6, as: String?.self), guestAccess: try row.get(7, as: String?.self),
      joinRule: try row.get(8, as: String?.self), roomType: try row.get(9, as: String?.self))
  }
}
