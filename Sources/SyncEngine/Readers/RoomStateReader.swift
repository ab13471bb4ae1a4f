import MatrixEvents
import MatrixPrimitives
import Stores

/// The reader of the state of rooms, now or where a user left them, and of its changes.
final class RoomStateReader: Sendable {
  /// A room of whose state something is wanted.
  struct Request: Sendable {
    let room: RoomID
    /// The event at which the state is wanted; nil for the current state.
    var event: EventID?
    let filter: StateFilter
  }

  private let state: StateStore
  private let events: EventStore

  init(state: StateStore, events: EventStore) {
    self.state = state
    self.events = events
  }

  /// Reads what is wanted of the state of rooms; rooms without any of it are absent.
  ///
  /// Cost: one statement for all rooms of which the current state is wanted, and two for a room that is glanced at so
  /// often that all of its state is read and kept; two for each other room.
  /// - Parameter requests: the rooms, each one once.
  func states(_ requests: [Request]) async throws -> [RoomID: StateMap] {
    guard !requests.isEmpty else { return [:] }
    var wanted: [RoomID: StateFilter] = [:]
    for request in requests where request.event == nil { wanted[request.room] = request.filter }
    var states = try await state.currentState(wanted)
    for request in requests {
      guard let event = request.event, let group = try await state.stateGroup(of: event) else { continue }
      states[request.room] = try await state.stateMap(group: group, filter: request.filter)
    }
    return states
  }

  /// Reads the events of a room's current state, as they are kept in memory.
  func wholeState(of room: RoomID) async throws -> RoomStateEvents { try await state.currentEvents(room, events) }

  /// Reads how the current state of rooms changed, in stream order; rooms without changes are absent.
  ///
  /// Cost: at most one statement for all rooms whose stretches begin at the same point.
  /// - Parameter stretches: the rooms, each one once.
  func changes(in stretches: [RoomStretch]) async throws -> [RoomID: [StateDelta]] {
    var changes: [RoomID: [StateDelta]] = [:]
    for (after, group) in Dictionary(grouping: stretches, by: \.after) {
      let last = group.reduce(after.stream) { max($0, $1.upTo.position.maximum) }
      let ends = Dictionary(group.map { ($0.room, $0.upTo.position) }, uniquingKeysWith: { a, _ in a })
      let deltas = try await events.stateDeltas(
        rooms: group.map(\.room), after: after, upTo: RoomStreamToken(stream: last))
      for delta in deltas where ends[delta.roomID]?.covers(delta.streamID, instance: delta.instanceName) ?? false {
        changes[delta.roomID, default: []].append(delta)
      }
    }
    return changes
  }
}
