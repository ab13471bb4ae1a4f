import MatrixEvents
import MatrixPrimitives
import Postgres

extension TimelineStore {
  /// The events around another one.
  public struct Surroundings: Sendable {
    /// The events before, oldest first.
    public var before: [StoredEvent] = []
    /// The events after, oldest first.
    public var after: [StoredEvent] = []
    /// The point before the first of them.
    public var start: RoomStreamToken
    /// The point behind the last of them.
    public var end: RoomStreamToken
  }

  /// Reads the events around each of several ones, in one statement and one load of what the cache lacks.
  public func surroundings(
    of centers: [StoredEvent], before: Int, after: Int
  ) async throws -> [EventID: Surroundings] {
    guard !centers.isEmpty else { return [:] }
    let rows = try await database.run(
      """
      SELECT c.id, n.is_after, n.event_id, n.topological_ordering, n.stream_ordering
      FROM unnest(\(centers.map(\.eventID.rawValue))::text[], \(centers.map(\.roomID.rawValue))::text[],
        \(centers.map(\.depth))::bigint[], \(centers.map(\.streamOrdering))::bigint[]) AS c(id, room, depth, stream)
      CROSS JOIN LATERAL (
        (SELECT false AS is_after, e.event_id, e.topological_ordering, e.stream_ordering FROM events AS e
          WHERE e.room_id = c.room AND NOT e.outlier AND e.rejection_reason IS NULL
            AND (e.topological_ordering, e.stream_ordering) < (c.depth, c.stream)
          ORDER BY e.topological_ordering DESC, e.stream_ordering DESC LIMIT \(Int64(before))::bigint)
        UNION ALL
        (SELECT true, e.event_id, e.topological_ordering, e.stream_ordering FROM events AS e
          WHERE e.room_id = c.room AND NOT e.outlier AND e.rejection_reason IS NULL
            AND (e.topological_ordering, e.stream_ordering) > (c.depth, c.stream)
          ORDER BY e.topological_ordering, e.stream_ordering LIMIT \(Int64(after))::bigint)) AS n
      ORDER BY n.topological_ordering, n.stream_ordering
      """)
    var result: [EventID: Surroundings] = [:]
    for center in centers {
      result[center.eventID] = Surroundings(
        start: RoomStreamToken(topological: center.depth, stream: center.streamOrdering - 1),
        end: center.historyToken)
    }
    var places: [(center: EventID, isAfter: Bool, eventID: EventID)] = []
    var begun: Set<EventID> = []
    for row in rows {
      let (id, isAfter, event, depth, stream) = try row.decode(
        Text.self, Bool.self, Text.self, Int64.self, Int64.self)
      let center = EventID(unchecked: id)
      if isAfter {
        result[center]?.end = RoomStreamToken(topological: depth, stream: stream)
      } else if begun.insert(center).inserted {
        result[center]?.start = RoomStreamToken(topological: depth, stream: stream - 1)
      }
      places.append((center, isAfter, EventID(unchecked: event)))
    }
    let events = try await events.events(places.map(\.eventID))
    for place in places {
      guard let event = events[place.eventID] else { continue }
      if place.isAfter {
        result[place.center]?.after.append(event)
      } else {
        result[place.center]?.before.append(event)
      }
    }
    return result
  }
}

extension TimelineStore {
  /// Returns which of some events pass a filter, relations included.
  public func passing(_ filter: EventFilter, among events: [EventID]) async throws -> Set<EventID> {
    let rows = try await database.run(
      "SELECT e.event_id FROM events AS e WHERE e.event_id = ANY(\(events.map(\.rawValue))::text[])\(filter.condition)")
    return Set(try rows.map { EventID(unchecked: try $0.get(0, as: Text.self)) })
  }
}
