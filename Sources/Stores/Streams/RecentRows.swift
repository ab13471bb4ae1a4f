import Collections
import MatrixPrimitives
import Synchronization

/// The newest rows of a stream by room, so that a reader who is nearly up to date needs no query.
///
/// Bounded: at most `rowsPerRoom` rows of at most `rooms` rooms. What was dropped is remembered as a floor; a question that reaches
/// below it is answered "unknown" (nil) and belongs to the database.
public final class RecentRows<Row: Sendable & Equatable>: Sendable {
  /// A row with its position and its writer.
  public struct Entry: Sendable {
    /// The row's stream id.
    public let id: Int64
    /// The process that wrote the row.
    public let instanceName: Text
    /// The row.
    public let row: Row

    /// Makes an entry.
    public init(id: Int64, instanceName: Text, row: Row) {
      self.id = id
      self.instanceName = instanceName
      self.row = row
    }
  }

  private struct RoomRows: Sendable {
    var entries: Deque<Entry> = []
    var floor: Int64
    var last: Int64
  }

  private struct State: Sendable {
    var rooms: [RoomID: RoomRows] = [:]
    var floor: Int64
  }

  private let state: Mutex<State>
  private let rowsPerRoom: Int
  private let roomLimit: Int

  /// Makes an empty memory.
  ///
  /// - Parameters:
  ///   - floor: the position of the stream now; rows up to it are unknown.
  ///   - rowsPerRoom: how many rows a room keeps, at least 1.
  ///   - rooms: how many rooms are kept, at least 2.
  public init(floor: Int64, rowsPerRoom: Int = 32, rooms: Int = 10_000) {
    self.rowsPerRoom = max(1, rowsPerRoom)
    roomLimit = max(2, rooms)
    state = Mutex(State(floor: floor))
  }

  /// Forgets everything and starts again at a position, as when a process has just read its streams' positions.
  public func reset(floor: Int64) {
    state.withLock { $0 = State(floor: floor) }
  }

  /// Adds a row. Rows of one writer come in order; rows of several writers may interleave.
  public func append(_ row: Row, id: Int64, instanceName: Text, room: RoomID) {
    state.withLock { state in
      var rows = state.rooms[room] ?? RoomRows(floor: state.floor, last: id)
      state.rooms[room] = nil  // so that the deque is changed in place
      if rows.entries.contains(where: { $0.id == id && $0.instanceName == instanceName && $0.row == row }) {
        state.rooms[room] = rows
        return
      }
      rows.entries.append(Entry(id: id, instanceName: instanceName, row: row))
      rows.last = max(rows.last, id)
      if rows.entries.count > rowsPerRoom, let dropped = rows.entries.popFirst() {
        rows.floor = max(rows.floor, dropped.id)
      }
      state.rooms[room] = rows
      if state.rooms.count > roomLimit { Self.dropHalf(&state) }
    }
  }

  /// Returns the rows of a room after `position` (compared with every row's id), in order of arrival; nil when rows that
  /// might belong to the answer were dropped or never seen.
  public func rows(of room: RoomID, after position: Int64) -> [Entry]? {
    state.withLock { state in
      guard position >= state.floor else { return nil }
      guard let rows = state.rooms[room] else { return [] }
      guard position >= rows.floor else { return nil }
      return rows.entries.filter { $0.id > position }
    }
  }

  /// Returns the newest rows of a room that lie within a token, the oldest of them first, and whether there are older ones.
  ///
  /// - Parameter count: how many are wanted, at least 1.
  /// - Returns: nil when memory holds fewer and there may be more.
  public func newest(
    of room: RoomID, count: Int, upTo token: MultiWriterToken
  ) -> (entries: ArraySlice<Entry>, hasOlder: Bool)? {
    state.withLock { state in
      guard let rows = state.rooms[room] else { return nil }
      let within = rows.entries.filter { $0.id > rows.floor && token.covers($0.id, instance: $0.instanceName) }
        .sorted { $0.id < $1.id }
      if within.count > count { return (within.suffix(count), true) }
      return rows.floor == .min ? (within[...], false) : nil
    }
  }

  /// Adds what the database holds of a room: its newest rows up to a position.
  ///
  /// - Parameters:
  ///   - known: the rows, the oldest first.
  ///   - isWhole: whether there are no older ones.
  ///   - position: all rows up to here were looked at.
  public func seed(_ room: RoomID, _ known: [Entry], isWhole: Bool, asOf position: Int64) {
    state.withLock { state in
      // Rows between the position and where memory begins would be missing.
      guard position >= state.floor, position >= state.rooms[room]?.floor ?? .min else { return }
      let newer = (state.rooms[room]?.entries ?? []).filter { entry in
        !known.contains { $0.id == entry.id && $0.instanceName == entry.instanceName && $0.row == entry.row }
      }
      let all = (known + newer).sorted { $0.id < $1.id }
      var floor = isWhole ? Int64.min : (known.first?.id ?? position) - 1
      if all.count > rowsPerRoom { floor = all[all.count - rowsPerRoom - 1].id }
      state.rooms[room] = RoomRows(
        entries: Deque(all.suffix(rowsPerRoom)), floor: floor, last: max(position, all.last?.id ?? position))
      if state.rooms.count > roomLimit { Self.dropHalf(&state) }
    }
  }

  /// Takes note that rows older than all others were added to a room.
  public func noteOlder(in room: RoomID) {
    state.withLock { state in
      guard let rows = state.rooms[room], rows.floor == .min else { return }
      state.rooms[room]?.floor = (rows.entries.lazy.map(\.id).min() ?? rows.last + 1) - 1
    }
  }

  private static func dropHalf(_ state: inout State) {
    let byAge = state.rooms.sorted { $0.value.last < $1.value.last }
    for (room, rows) in byAge.prefix(byAge.count / 2) {
      state.rooms[room] = nil
      state.floor = max(state.floor, rows.last)
    }
  }
}
