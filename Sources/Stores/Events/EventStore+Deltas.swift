import MatrixEvents
import MatrixPrimitives
import Postgres

/// One change of a room's current state: a row of `current_state_delta_stream`.
public struct StateDelta: Sendable, Hashable {
  /// The place in the events stream; the least place of the batch that caused the change.
  public let streamID: Int64
  /// The writer that stored the change.
  public let instanceName: Text
  /// The room's id.
  public let roomID: RoomID
  /// The slot that changed.
  public let key: StateKey
  /// The new event; nil when the entry was removed.
  public let eventID: EventID?
  /// The event that was current before; nil when there was none.
  public let previousEventID: EventID?
}

/// One row of a user's membership history.
public struct MembershipChange: Sendable, Hashable {
  /// The membership event.
  public let eventID: EventID
  /// The room's id.
  public let roomID: RoomID
  /// The user who caused it.
  public let sender: UserID
  /// The new membership, as in the event.
  public let membership: Text
  /// The place in the events stream.
  public let streamOrdering: Int64
  /// The writer that stored the event.
  public let instanceName: Text
}

extension EventStore {
  /// Reads how the current state of rooms changed between two points (`after < change <= upTo`), in stream order.
  ///
  /// - Parameters:
  ///   - rooms: the rooms; nil for all.
  ///   - limit: the greatest number of rows; nil for all. Rows of the last stream id may then be incomplete.
  public func stateDeltas(
    rooms: [RoomID]?, after: RoomStreamToken, upTo: RoomStreamToken, limit: Int? = nil
  ) async throws -> [StateDelta] {
    var condition: SQL = ""
    if let rooms {
      let candidates = rooms.filter { stateChanges.hasChanged($0.rawValue, since: after.stream) }
      guard !candidates.isEmpty else { return [] }
      condition = "AND room_id = ANY(\(candidates.map(\.rawValue))::text[])"
    }
    let bound: SQL = limit.map { "LIMIT \(Int64($0))::bigint" } ?? ""
    let found = try await database.run(
      """
      SELECT stream_id, COALESCE(instance_name, 'master'), room_id, type, state_key, event_id, prev_event_id
      FROM current_state_delta_stream
      WHERE stream_id > \(after.stream)::bigint AND stream_id <= \(upTo.position.maximum)::bigint \(condition)
      ORDER BY stream_id \(bound)
      """)
    var deltas: [StateDelta] = []
    for row in found {
      let (stream, instance, room, type, key, event, previous) = try row.decode(
        Int64.self, Text.self, Text.self, Text.self, Text.self, Text?.self, Text?.self)
      guard upTo.position.covers(stream, instance: instance), !after.position.covers(stream, instance: instance) else {
        continue
      }
      deltas.append(
        StateDelta(
          streamID: stream, instanceName: instance, roomID: RoomID(unchecked: room), key: StateKey(type, key),
          eventID: event.map { EventID(unchecked: $0) }, previousEventID: previous.map { EventID(unchecked: $0) }))
    }
    return deltas
  }

  /// Reads how a room's current state changed between two points, in stream order.
  public func stateDeltas(
    roomID: RoomID, after: RoomStreamToken, upTo: RoomStreamToken
  ) async throws -> [StateDelta] {
    try await stateDeltas(rooms: [roomID], after: after, upTo: upTo)
  }

  /// Reads a user's membership events between two points (`after < event <= upTo`), in stream order, out-of-band ones
  /// (remote invites) included.
  public func membershipChanges(
    userID: UserID, after: RoomStreamToken, upTo: RoomStreamToken
  ) async throws -> [MembershipChange] {
    let found = try await database.run(
      """
      SELECT m.event_id, m.room_id, m.sender, m.membership, e.stream_ordering, COALESCE(e.instance_name, 'master')
      FROM room_memberships AS m JOIN events AS e ON e.event_id = m.event_id
      WHERE m.user_id = \(userID.rawValue) AND e.rejection_reason IS NULL
        AND m.event_stream_ordering > \(after.stream)::bigint
        AND m.event_stream_ordering <= \(upTo.position.maximum)::bigint
      ORDER BY m.event_stream_ordering
      """)
    var changes: [MembershipChange] = []
    for row in found {
      let (event, room, sender, membership, stream, instance) = try row.decode(
        Text.self, Text.self, Text.self, Text.self, Int64.self, Text.self)
      guard upTo.position.covers(stream, instance: instance), !after.position.covers(stream, instance: instance) else {
        continue
      }
      changes.append(
        MembershipChange(
          eventID: EventID(unchecked: event), roomID: RoomID(unchecked: room), sender: UserID(unchecked: sender),
          membership: membership, streamOrdering: stream, instanceName: instance))
    }
    return changes
  }
}
