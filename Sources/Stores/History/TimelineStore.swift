import MatrixEvents
import MatrixPrimitives
import Postgres

/// The events of a room in the order of its history: depth, then stream ordering.
public final class TimelineStore: Sendable {
  /// One page, nearest event first.
  public struct Page: Sendable {
    /// The events that could be read.
    public let events: [StoredEvent]
    /// The end of the page: where the next one begins.
    public let end: RoomStreamToken
    /// Whether there are more events beyond the page.
    public let isLimited: Bool

    /// Makes a page.
    public init(events: [StoredEvent], end: RoomStreamToken, isLimited: Bool) {
      self.events = events
      self.end = end
      self.isLimited = isLimited
    }
  }

  private struct Place {
    let eventID: EventID
    let depth: Int64
    let stream: Int64
    let instanceName: Text
  }

  let database: PostgresClient
  let events: EventStore

  init(_ context: StoreContext, events: EventStore) {
    database = context.database
    self.events = events
  }

  /// Reads a page of a room's history, in one statement and one load of what the cache lacks.
  ///
  /// A token marks the point after its event; so walking backwards begins with that event and forwards with the one after.
  ///
  /// - Parameters:
  ///   - end: the point at which to stop; nil for the end of the history.
  ///   - limit: the greatest number of events, at least 1.
  public func page(
    room: RoomID, from start: RoomStreamToken, to end: RoomStreamToken?, direction: PageDirection, limit: Int,
    filter: EventFilter = EventFilter()
  ) async throws -> Page {
    let (low, high) = direction == .backward ? (end, Optional(start)) : (Optional(start), end)
    var sql: SQL = """
      SELECT e.event_id, e.topological_ordering, e.stream_ordering, COALESCE(e.instance_name, 'master')
      FROM events AS e WHERE e.room_id = \(room.rawValue) AND NOT e.outlier AND e.rejection_reason IS NULL
      """
    if let low { sql = "\(sql)\(Self.after(low))" }
    if let high { sql = "\(sql)\(Self.upTo(high))" }
    sql =
      direction == .backward
      ? "\(sql)\(filter.condition) ORDER BY e.topological_ordering DESC, e.stream_ordering DESC"
      : "\(sql)\(filter.condition) ORDER BY e.topological_ordering ASC, e.stream_ordering ASC"
    let rows = try await database.run("\(sql) LIMIT \(Int64(limit) + 1)::bigint")
    var places = try rows.map(Self.place)
    let isLimited = places.count > limit
    if isLimited { places.removeLast() }
    var next = end ?? start
    if let last = places.last {
      // A token is the point after an event; walking backwards, the next page begins below the last one.
      next = RoomStreamToken(
        topological: last.depth, stream: direction == .backward ? last.stream - 1 : last.stream)
    }
    let visible = places.filter { Self.lies($0, between: low, and: high) }
    return Page(events: try await events.orderedEvents(visible.map(\.eventID)), end: next, isLimited: isLimited)
  }

  private static func upTo(_ token: RoomStreamToken) -> SQL {
    guard let depth = token.topological else {
      return " AND e.stream_ordering <= \(token.position.maximum)::bigint"
    }
    return " AND (e.topological_ordering, e.stream_ordering) <= (\(depth)::bigint, \(token.stream)::bigint)"
  }

  private static func after(_ token: RoomStreamToken) -> SQL {
    guard let depth = token.topological else { return " AND e.stream_ordering > \(token.stream)::bigint" }
    return " AND (e.topological_ordering, e.stream_ordering) > (\(depth)::bigint, \(token.stream)::bigint)"
  }

  /// Returns whether an event lies between live tokens of several writers, which SQL compares only roughly.
  private static func lies(_ place: Place, between low: RoomStreamToken?, and high: RoomStreamToken?) -> Bool {
    if let high, high.topological == nil, !high.position.covers(place.stream, instance: place.instanceName) {
      return false
    }
    if let low, low.topological == nil, low.position.covers(place.stream, instance: place.instanceName) {
      return false
    }
    return true
  }

  private static func place(_ row: PostgresRow) throws -> Place {
    let (eventID, depth, stream, instance) = try row.decode(Text.self, Int64.self, Int64.self, Text.self)
    return Place(eventID: EventID(unchecked: eventID), depth: depth, stream: stream, instanceName: instance)
  }
}
