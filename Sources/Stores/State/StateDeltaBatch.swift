import MatrixEvents
import MatrixPrimitives
import Postgres

/// Changes of rooms' current state for somebody who follows all of them.
public struct StateDeltaBatch: Sendable {
  /// The changes in stream order.
  public let deltas: [StateDelta]
  /// The point up to which nothing is missing: the next batch begins after it.
  public let reached: Int64
}

extension EventStore {
  /// Reads the next changes of the current state of all rooms.
  ///
  /// All rows of a stream id come in one batch, which is therefore longer than `limit` when the state of a large room changed at once.
  /// - Parameters:
  ///   - position: the point up to which everything is known.
  ///   - end: a point that no writer will store anything before.
  ///   - types: the types of state that are wanted; nil for all.
  ///   - limit: the number of rows that is enough for a batch, at least 1.
  public func stateDeltaBatch(
    after position: Int64, upTo end: Int64, types: [Text]? = nil, limit: Int
  ) async throws -> StateDeltaBatch {
    let wanted: SQL = types.map { "AND type = ANY(\($0)::text[])" } ?? ""
    let columns: SQL =
      "stream_id, COALESCE(instance_name, 'master'), room_id, type, state_key, event_id, prev_event_id"
    let rows = try await database.run(
      """
      SELECT \(columns) FROM current_state_delta_stream
      WHERE stream_id > \(position)::bigint AND stream_id <= \(end)::bigint \(wanted)
      ORDER BY stream_id LIMIT \(limit)::bigint
      """)
    var deltas = try rows.map(Self.delta)
    guard deltas.count >= limit, let last = deltas.last?.streamID else {
      return StateDeltaBatch(deltas: deltas, reached: end)
    }
    // What belongs to the last id may go on beyond the limit.
    deltas.removeAll { $0.streamID == last }
    if let previous = deltas.last?.streamID { return StateDeltaBatch(deltas: deltas, reached: previous) }
    let whole = try await database.run(
      "SELECT \(columns) FROM current_state_delta_stream WHERE stream_id = \(last)::bigint \(wanted)")
    return StateDeltaBatch(deltas: try whole.map(Self.delta), reached: last)
  }

  private static func delta(_ row: PostgresRow) throws -> StateDelta {
    let (stream, instance, room, type, key, event, previous) = try row.decode(
      Int64.self, Text.self, Text.self, Text.self, Text.self, Text?.self, Text?.self)
    return StateDelta(
      streamID: stream, instanceName: instance, roomID: RoomID(unchecked: room), key: StateKey(type, key),
      eventID: event.map { EventID(unchecked: $0) }, previousEventID: previous.map { EventID(unchecked: $0) })
  }
}
