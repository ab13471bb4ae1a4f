import MatrixEvents
import MatrixPrimitives
import Postgres

/// The position of an event.
public struct EventPosition: Sendable, Hashable {
  /// The event.
  public let eventID: EventID
  /// Its room.
  public let roomID: RoomID
  /// Its depth, by which history is ordered first.
  public let depth: Int64
  /// Its place in the stream.
  public let streamOrdering: Int64
  /// The writer that stored it.
  public let instanceName: Text

  /// The point just after the event in the room's history.
  public var historyToken: RoomStreamToken { RoomStreamToken(topological: depth, stream: streamOrdering) }
}

/// The direction in which history is walked.
public enum PageDirection: Sendable { case backward, forward }

extension EventStore {
  /// Returns the point up to which this process may read the events stream.
  public func currentToken() -> RoomStreamToken {
    RoomStreamToken(MultiWriterToken(stream: ids.currentToken, ahead: ids.positions))
  }

  /// Returns which of the rooms may have new events after a point, from memory alone.
  ///
  /// - Returns: a superset of the rooms that changed; nil when the point is older than what is remembered.
  public func roomsChanged(_ rooms: some Sequence<RoomID>, since token: RoomStreamToken) -> Set<RoomID>? {
    roomChanges.changed(of: rooms.lazy.map(\.rawValue), since: token.stream)
      .map { Set($0.map { RoomID(unchecked: $0) }) }
  }

  /// Returns whether a room may have new events after a point; true when that is unknown.
  public func hasRoomChanged(_ room: RoomID, since token: RoomStreamToken) -> Bool {
    roomChanges.hasChanged(room.rawValue, since: token.stream)
  }

  /// Finds the position of an event, rejected or not; nil when it is not stored.
  public func position(of id: EventID) async throws -> EventPosition? { try await positions(of: [id])[id] }

  /// Finds the positions of events; those that are not stored are absent.
  public func positions(of ids: [EventID]) async throws -> [EventID: EventPosition] {
    guard !ids.isEmpty else { return [:] }
    let found = try await database.run(
      """
      SELECT e.event_id, e.room_id, e.topological_ordering, e.stream_ordering, COALESCE(e.instance_name, 'master')
      FROM events AS e WHERE e.event_id = ANY(\(ids.map(\.rawValue))::text[])
      """)
    var result: [EventID: EventPosition] = [:]
    for row in found {
      let position = try Self.position(row)
      result[position.eventID] = position
    }
    return result
  }

  /// Finds the newest event of a room at or before a point, in stream order; nil when there is none.
  ///
  /// - Parameter types: the event types to look at; nil for all.
  public func lastEvent(
    roomID: RoomID, upTo token: RoomStreamToken, types: [Text]? = nil
  ) async throws -> EventPosition? {
    // A page of a few rows leaves room for rows of writers that are ahead of the token.
    var bound = token.position.maximum
    while true {
      let found = try await database.run(
        """
        SELECT e.event_id, e.room_id, e.topological_ordering, e.stream_ordering, COALESCE(e.instance_name, 'master')
        FROM events AS e WHERE e.room_id = \(roomID.rawValue) AND e.stream_ordering <= \(bound)::bigint
          AND NOT e.outlier AND e.rejection_reason IS NULL \(Self.typeCondition(types))
        ORDER BY e.stream_ordering DESC LIMIT 10
        """)
      var last: EventPosition?
      for row in found {
        let position = try Self.position(row)
        if token.position.covers(position.streamOrdering, instance: position.instanceName) { return position }
        last = position
      }
      guard let last, found.count == 10 else { return nil }
      bound = last.streamOrdering - 1
    }
  }

  static func typeCondition(_ types: [Text]?) -> SQL {
    guard let types else { return "" }
    return "AND e.type = ANY(\(types)::text[])"
  }

  static func position(_ row: PostgresRow) throws -> EventPosition {
    let (eventID, roomID, depth, stream, instance) = try row.decode(
      Text.self, Text.self, Int64.self, Int64.self, Text.self)
    return EventPosition(
      eventID: EventID(unchecked: eventID), roomID: RoomID(unchecked: roomID), depth: depth, streamOrdering: stream,
      instanceName: instance)
  }

  /// Finds the events of a room that are nearest to a time, nearest first: from the first at or after it on, or from the last at or before
  /// it back.
  ///
  /// - Parameters:
  ///   - timestamp: `origin_server_ts` in milliseconds since 1970.
  ///   - limit: the greatest number of events.
  ///   - offset: how many of the nearest are left out.
  public func eventIDs(
    roomID: RoomID, nearestTo timestamp: Int64, direction: PageDirection, limit: Int, offset: Int
  ) async throws -> [EventID] {
    let bounds: SQL =
      switch direction {
      case .forward:
        """
        e.origin_server_ts >= \(timestamp)::bigint
        ORDER BY e.origin_server_ts, e.depth, e.stream_ordering
        """
      case .backward:
        """
        e.origin_server_ts <= \(timestamp)::bigint
        ORDER BY e.origin_server_ts DESC, e.depth DESC, e.stream_ordering DESC
        """
      }
    let found = try await database.run(
      """
      SELECT e.event_id FROM events AS e LEFT JOIN rejections AS x ON x.event_id = e.event_id
      WHERE e.room_id = \(roomID.rawValue) AND NOT e.outlier AND x.event_id IS NULL AND \(bounds)
      LIMIT \(Int64(limit))::bigint OFFSET \(Int64(offset))::bigint
      """)
    return try found.map { EventID(unchecked: try $0.get(0)) }
  }

  /// Finds the highest place in the stream among events stored before a time; nil when there are none.
  ///
  /// Cost: about one statement for each doubling of the stream, on the primary order; there is no index on the time.
  public func maxStreamOrdering(receivedBefore milliseconds: Int64) async throws -> Int64? {
    var low: Int64 = 0
    var high = ids.currentToken
    var best: Int64?
    while low <= high {
      let middle = low + (high - low) / 2
      let found = try await database.run(
        """
        SELECT stream_ordering, received_ts FROM events
        WHERE stream_ordering >= \(middle)::bigint AND stream_ordering <= \(high)::bigint AND received_ts IS NOT NULL
        ORDER BY stream_ordering LIMIT 1
        """)
      guard let row = found.first else {
        high = middle - 1
        continue
      }
      let (stream, received) = try row.decode(Int64.self, Int64.self)
      if received < milliseconds {
        best = stream
        low = stream + 1
      } else {
        high = middle - 1
      }
    }
    return best
  }
}
