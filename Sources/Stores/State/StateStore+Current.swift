import MatrixEvents
import MatrixPrimitives
import Postgres

extension StateStore {
  /// Reads the current state of a room, from the cache if it is there; empty when the server is not in the room.
  public func currentSnapshot(_ room: RoomID) async throws -> StateSnapshot {
    try await current.value(room) { [database] in
      try Self.snapshot(
        try await database.read(
          "SELECT type, state_key, event_id FROM current_state_events WHERE room_id = \(room.rawValue)"))
    }
  }

  /// Reads wanted entries of the current state of a room.
  ///
  /// Single entries of a room that is not cached are read alone, so that a glance at a large room stays cheap.
  public func currentState(_ room: RoomID, filter: StateFilter = .all) async throws -> StateMap {
    if let cached = current.peek(room) { return cached.map(filter) }
    guard filter.exactKeys != nil else { return try await currentSnapshot(room).map(filter) }
    let found = try await database.read(
      """
      SELECT type, state_key, event_id FROM current_state_events
      WHERE room_id = \(room.rawValue) \(filter.condition)
      """)
    return try Self.snapshot(found).map
  }

  /// Reads wanted entries of the current state of many rooms in one statement; rooms without any are absent.
  public func currentState(rooms: [RoomID], filter: StateFilter) async throws -> [RoomID: StateMap] {
    var result: [RoomID: StateMap] = [:]
    var missing: [String] = []
    for room in rooms {
      if let cached = current.peek(room) {
        result[room] = cached.map(filter)
      } else {
        missing.append(room.rawValue)
      }
    }
    guard !missing.isEmpty else { return result }
    let found = try await database.read(
      """
      SELECT room_id, type, state_key, event_id FROM current_state_events
      WHERE room_id = ANY(\(missing)::text[]) \(filter.condition)
      """)
    for row in found {
      let (room, type, key, event) = try row.decode(String.self, String.self, String.self, String.self)
      result[RoomID(unchecked: room), default: [:]][StateKey(type, key)] = EventID(unchecked: event)
    }
    return result
  }

  /// Applies changes of the current state to the cache, in the order of the stream; a room that is not cached is left
  /// alone, apart from stopping a load under way from being kept.
  public func applyCurrent(_ room: RoomID, _ changes: [(key: StateKey, value: EventID?)]) {
    if let cached = current.peek(room) {
      current.insert(room, cached.applying(changes))
    } else {
      current.invalidate(room)
    }
    currentEvents.invalidate(room)
  }

  /// Drops the cached current state of a room.
  public func invalidateCurrent(_ room: RoomID) {
    current.invalidate(room)
    currentEvents.invalidate(room)
  }
}
