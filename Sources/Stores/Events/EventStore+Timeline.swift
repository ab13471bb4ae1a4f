import MatrixEvents
import MatrixPrimitives
import Postgres

/// A stretch of a room's timeline.
public struct EventPage: Sendable {
  /// The events, oldest first.
  public let events: [StoredEvent]
  /// Whether older events that also fit were left out because of the limit.
  public let isLimited: Bool
}

extension EventStore {
  /// Reads the newest events of many rooms in the order of arrival, as `/sync` shows them, in one statement and one load
  /// of what the cache lacks.
  ///
  /// - Parameters:
  ///   - rooms: the rooms; those without an event are absent from the answer.
  ///   - after: the point after which events count; nil from the beginning, history fetched later included.
  ///   - upTo: the point up to which events count.
  ///   - limit: the greatest number of events a room, at least 1.
  ///   - condition: further SQL for the table alias `e`, beginning with `AND`.
  public func latestEvents(
    rooms: [RoomID], after: RoomStreamToken?, upTo: RoomStreamToken, limit: Int, condition: SQL = ""
  ) async throws -> [RoomID: EventPage] {
    let rows = try await latestRows(rooms: rooms, after: after, upTo: upTo, limit: limit, condition: condition)
    let events = try await self.events(rows.values.flatMap { $0.rows.map(\.row) })
    return rows.mapValues { page in
      EventPage(events: page.rows.compactMap { events[$0.row] }, isLimited: page.isLimited)
    }
  }

  /// Finds the newest events of rooms, the oldest of them first, and whether there are more.
  func latestRows(
    rooms: [RoomID], after: RoomStreamToken?, upTo: RoomStreamToken, limit: Int, condition: SQL
  ) async throws -> [RoomID: (rows: [RecentRows<EventID>.Entry], isLimited: Bool)] {
    guard !rooms.isEmpty, limit > 0 else { return [:] }
    let lower: SQL = after.map { "AND e.stream_ordering > \($0.stream)::bigint" } ?? ""
    // Writers ahead of a token's minimum are sorted out below, so ask for a few rows more than wanted.
    let slack = (after?.position.ahead.isEmpty ?? true) && upTo.position.ahead.isEmpty ? 0 : 20
    let wanted = Int64(limit) + 1 + Int64(slack)
    let found = try await database.run(
      """
      SELECT q.room_id, p.event_id, p.stream_ordering, p.instance FROM unnest(\(rooms.map(\.rawValue))::text[]) AS q(room_id),
      LATERAL (
        SELECT e.event_id, e.stream_ordering, COALESCE(e.instance_name, 'master') AS instance FROM events AS e
        WHERE e.room_id = q.room_id AND e.stream_ordering <= \(upTo.position.maximum)::bigint \(lower)
          AND NOT e.outlier AND e.rejection_reason IS NULL \(condition)
        ORDER BY e.stream_ordering DESC LIMIT \(wanted)::bigint
      ) AS p
      """)
    var pages: [RoomID: (rows: [RecentRows<EventID>.Entry], isLimited: Bool)] = [:]
    for row in found {
      let (room, event, stream, instance) = try row.decode(Text.self, Text.self, Int64.self, Text.self)
      guard upTo.position.covers(stream, instance: instance) else { continue }
      if let after, after.position.covers(stream, instance: instance) { continue }
      let roomID = RoomID(unchecked: room)
      if pages[roomID, default: ([], false)].rows.count < limit {
        pages[roomID, default: ([], false)].rows.append(
          RecentRows.Entry(id: stream, instanceName: instance, row: EventID(unchecked: event)))
      } else {
        pages[roomID]?.isLimited = true
      }
    }
    return pages.mapValues { (Array($0.rows.reversed()), $0.isLimited) }
  }

  /// Reads the newest events of one room in the order of arrival; see ``latestEvents(rooms:after:upTo:limit:condition:)``.
  public func latestEvents(
    roomID: RoomID, after: RoomStreamToken? = nil, upTo: RoomStreamToken, limit: Int, condition: SQL = ""
  ) async throws -> EventPage {
    try await latestEvents(rooms: [roomID], after: after, upTo: upTo, limit: limit, condition: condition)[roomID]
      ?? EventPage(events: [], isLimited: false)
  }

  /// Reads the oldest events of a room after a point, in the order of arrival (`after < event <= upTo`).
  ///
  /// - Returns: the events, oldest first; limited when newer ones within the bounds were left out.
  public func events(
    roomID: RoomID, after: RoomStreamToken, upTo: RoomStreamToken, limit: Int, condition: SQL = ""
  ) async throws -> EventPage {
    let found = try await database.run(
      """
      SELECT e.event_id, e.stream_ordering, COALESCE(e.instance_name, 'master') FROM events AS e
      WHERE e.room_id = \(roomID.rawValue) AND e.stream_ordering > \(after.stream)::bigint
        AND e.stream_ordering <= \(upTo.position.maximum)::bigint
        AND NOT e.outlier AND e.rejection_reason IS NULL \(condition)
      ORDER BY e.stream_ordering LIMIT \(Int64(limit) + 21)::bigint
      """)
    var ids: [EventID] = []
    for row in found {
      let (event, stream, instance) = try row.decode(Text.self, Int64.self, Text.self)
      guard upTo.position.covers(stream, instance: instance), !after.position.covers(stream, instance: instance) else {
        continue
      }
      ids.append(EventID(unchecked: event))
    }
    return EventPage(events: try await orderedEvents(Array(ids.prefix(limit))), isLimited: ids.count > limit)
  }

  /// Reads the oldest events of rooms after a point, all rooms together in the order of arrival, in one statement.
  ///
  /// - Parameter limit: the greatest number of events.
  /// - Returns: the events, oldest first; limited when newer ones within the bounds were left out.
  public func earliestEvents(
    rooms: [RoomID], after: RoomStreamToken, upTo: RoomStreamToken, limit: Int
  ) async throws -> EventPage {
    guard !rooms.isEmpty, limit > 0 else { return EventPage(events: [], isLimited: false) }
    // Writers ahead of a token's minimum are sorted out below, so a few rows more than wanted are asked for.
    let found = try await database.run(
      """
      SELECT p.event_id, p.stream_ordering, p.instance FROM unnest(\(rooms.map(\.rawValue))::text[]) AS q(room_id),
      LATERAL (
        SELECT e.event_id, e.stream_ordering, COALESCE(e.instance_name, 'master') AS instance FROM events AS e
        WHERE e.room_id = q.room_id AND e.stream_ordering > \(after.stream)::bigint
          AND e.stream_ordering <= \(upTo.position.maximum)::bigint AND NOT e.outlier AND e.rejection_reason IS NULL
        ORDER BY e.stream_ordering LIMIT \(Int64(limit) + 21)::bigint
      ) AS p
      ORDER BY p.stream_ordering
      """)
    var ids: [EventID] = []
    for row in found {
      let (event, stream, instance) = try row.decode(Text.self, Int64.self, Text.self)
      guard upTo.position.covers(stream, instance: instance), !after.position.covers(stream, instance: instance) else {
        continue
      }
      ids.append(EventID(unchecked: event))
    }
    return EventPage(events: try await orderedEvents(Array(ids.prefix(limit))), isLimited: ids.count > limit)
  }
}
