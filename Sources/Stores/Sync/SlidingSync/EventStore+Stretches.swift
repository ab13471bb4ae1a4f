import MatrixEvents
import MatrixPrimitives
import Postgres

/// What happened in a room after one point and up to another.
public struct RoomSpan: Sendable {
  /// The room.
  public let room: RoomID
  /// The point after which changes count.
  public let after: RoomStreamToken
  /// The point up to which changes count.
  public let upTo: RoomStreamToken

  /// Makes a span.
  public init(room: RoomID, after: RoomStreamToken, upTo: RoomStreamToken) {
    self.room = room
    self.after = after
    self.upTo = upTo
  }
}

extension EventStore {
  /// Reads how the current state of rooms changed, each in a span of its own, in stream order; rooms without changes are absent.
  ///
  /// Cost: one statement, none when memory says that nothing changed.
  /// - Parameter spans: the rooms, each one once.
  public func stateDeltas(in spans: [RoomSpan]) async throws -> [RoomID: [StateDelta]] {
    let candidates = spans.filter {
      $0.after != $0.upTo && stateChanges.hasChanged($0.room.rawValue, since: $0.after.stream)
    }
    guard !candidates.isEmpty else { return [:] }
    let found = try await database.run(
      """
      SELECT d.stream_id, COALESCE(d.instance_name, 'master'), d.room_id, d.type, d.state_key, d.event_id, d.prev_event_id
      FROM unnest(\(candidates.map(\.room.rawValue))::text[], \(candidates.map(\.after.stream))::bigint[],
        \(candidates.map(\.upTo.position.maximum))::bigint[]) AS q(room_id, after, up_to)
      JOIN current_state_delta_stream AS d
        ON d.room_id = q.room_id AND d.stream_id > q.after AND d.stream_id <= q.up_to
      ORDER BY d.stream_id
      """)
    let spans = Dictionary(candidates.map { ($0.room, $0) }) { first, _ in first }
    var deltas: [RoomID: [StateDelta]] = [:]
    for row in found {
      let (stream, instance, room, type, key, event, previous) = try row.decode(
        Int64.self, Text.self, Text.self, Text.self, Text.self, Text?.self, Text?.self)
      let roomID = RoomID(unchecked: room)
      guard let span = spans[roomID], span.upTo.position.covers(stream, instance: instance),
        !span.after.position.covers(stream, instance: instance)
      else { continue }
      deltas[roomID, default: []].append(
        StateDelta(
          streamID: stream, instanceName: instance, roomID: roomID, key: StateKey(type, key),
          eventID: event.map { EventID(unchecked: $0) }, previousEventID: previous.map { EventID(unchecked: $0) }))
    }
    return deltas
  }
}
