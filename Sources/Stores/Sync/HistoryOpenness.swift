import MatrixEvents
import MatrixPrimitives
import Replication
import StorageEngine

/// The time since when rooms have let their members see all of their history, which decides for nearly every event of a
/// sync that no closer look is needed.
public final class HistoryOpenness: Sendable {
  private static let key = StateKey("m.room.history_visibility")

  private let events: EventStore
  private let state: StateStore
  private let known: Cache<RoomID, Int64?>

  /// Makes the memory, after the stores that it reads, so that these have the new state when it forgets.
  init(_ context: StoreContext, events: EventStore, state: StateStore) {
    self.events = events
    self.state = state
    known = context.caches.cache("*historyOpenness*", capacity: 50_000)
    context.follow(.events, for: self) { memory, batches in
      for batch in batches { for row in batch.rows { memory.apply(row) } }
    }
  }

  private func apply(_ row: StreamRow) {
    switch row {
    case .eventState(let state): if state.type == Self.key.type { invalidate(state.roomID) }
    case .eventStateAll(let room): invalidate(room)
    default: break
    }
  }

  /// Returns for each room the position of the setting by which members see all of the history, `Int64.min` without a setting (history
  /// is shared then); rooms with another setting are absent.
  public func openSince(_ rooms: [RoomID]) async throws -> [RoomID: Int64] {
    let (events, state) = (events, state)
    return try await known.values(rooms) { missing in
      let states = try await state.currentState(rooms: missing, filter: .keys([Self.key]))
      let settings = try await events.events(states.values.compactMap { $0[Self.key] })
      var found: [RoomID: Int64?] = [:]
      for room in missing {
        guard let id = states[room]?[Self.key] else {
          found[room] = .some(Int64.min)
          continue
        }
        found[room] = .some(settings[id].flatMap(Self.openSince))
      }
      return found
    }.compactMapValues { $0 }
  }

  private static func openSince(_ setting: StoredEvent) -> Int64? {
    switch setting.content["history_visibility"]?.string {
    case "invited", "joined": nil
    default: setting.streamOrdering
    }
  }

  /// Forgets a room: to be called when its setting changes, before the position advances.
  func invalidate(_ room: RoomID) { known.invalidate(room) }
}
