import MatrixEvents
import MatrixPrimitives
import Postgres

extension StateStore {
  /// Reads the current state of a room, from the cache if it is there; empty when the server is not in the room.
  public func currentSnapshot(_ room: RoomID) async throws -> StateSnapshot {
    try await current.value(room) { [database] in
      try Self.snapshot(
        try await database.run(
          "SELECT type, state_key, event_id FROM current_state_events WHERE room_id = \(room.rawValue)"))
    }
  }

  /// Reads wanted entries of the current state of a room.
  ///
  /// Single entries of a room that is not cached are read alone, so that a glance at a large room stays cheap; a smaller one is
  /// read as a whole when this happens time and again.
  public func currentState(_ room: RoomID, filter: StateFilter = .all) async throws -> StateMap {
    if let cached = current.peek(room) { return cached.map(filter) }
    let readsWhole = if filter.exactKeys == nil { true } else { try await noteGlance(at: room) }
    if readsWhole { return try await currentSnapshot(room).map(filter) }
    let found = try await database.run(
      """
      SELECT type, state_key, event_id FROM current_state_events
      WHERE room_id = \(room.rawValue) \(filter.condition)
      """)
    return try Self.snapshot(found).map
  }

  /// The number of reads of single entries after which the whole state is read, and the limit on its entries.
  private static let glancesWorthReading = 3
  private static let largestWorthReading: Int64 = 2_000

  /// Counts a glance at a room that is not cached, and returns whether its whole state should be read instead.
  private func noteGlance(at room: RoomID) async throws -> Bool {
    let earlier = glances.peek(room) ?? 0
    guard earlier < .max else { return false }
    guard earlier >= Self.glancesWorthReading else {
      glances.insert(room, earlier + 1)
      return false
    }
    let entries: SQL = """
      SELECT count(*) FROM (
        SELECT FROM current_state_events WHERE room_id = \(room.rawValue) LIMIT \(Self.largestWorthReading + 1)::bigint) AS entry
      """
    let count = try await database.run(entries).first?.get(0, as: Int64.self) ?? 0
    let isSmall = count <= Self.largestWorthReading
    // A large room is not looked at again; a small one, when it has been forgotten, only after further glances.
    glances.insert(room, isSmall ? 0 : .max)
    return isSmall
  }

  /// Reads wanted entries of the current state of many rooms in one statement; rooms without any are absent.
  public func currentState(rooms: [RoomID], filter: StateFilter) async throws -> [RoomID: StateMap] {
    var result: [RoomID: StateMap] = [:]
    var missing: [Text] = []
    for room in rooms {
      if let cached = current.peek(room) {
        result[room] = cached.map(filter)
      } else {
        missing.append(room.rawValue)
      }
    }
    for (room, state) in try await readCurrent(missing, filter) { result[room] = state }
    return result
  }

  /// Reads of each room's current state what its own filter wants, in one statement for all rooms that are not cached; rooms without any
  /// such entry are absent.
  ///
  /// Single entries of a small room that are asked for time and again make that room be read as a whole, as by
  /// ``currentState(_:filter:)``.
  public func currentState(_ wanted: [RoomID: StateFilter]) async throws -> [RoomID: StateMap] {
    var result: [RoomID: StateMap] = [:]
    var missing: [RoomID: StateFilter] = [:]
    for (room, filter) in wanted {
      if let cached = current.peek(room) {
        result[room] = cached.map(filter)
      } else if filter.exactKeys != nil, try await noteGlance(at: room) {
        result[room] = try await currentSnapshot(room).map(filter)
      } else {
        missing[room] = filter
      }
    }
    for (room, state) in try await readCurrent(missing.keys.map(\.rawValue), .union(missing.values)) {
      result[room] = state.filter { missing[room]?.includes($0.key) ?? false }
    }
    return result
  }

  private func readCurrent(_ rooms: [Text], _ filter: StateFilter) async throws -> [RoomID: StateMap] {
    guard !rooms.isEmpty else { return [:] }
    let found = try await database.run(
      """
      SELECT room_id, type, state_key, event_id FROM current_state_events
      WHERE room_id = ANY(\(rooms)::text[]) \(filter.condition)
      """)
    var states: [RoomID: StateMap] = [:]
    for row in found {
      let (room, type, key, event) = try row.decode(Text.self, Text.self, Text.self, Text.self)
      states[RoomID(unchecked: room), default: [:]][StateKey(type, key)] = EventID(unchecked: event)
    }
    return states
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
