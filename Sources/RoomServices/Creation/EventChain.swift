import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Stores

/// The end of a room's history, which moves on with every event that is built upon it.
///
/// New events of a chain exist in memory only; the state that they change is overlaid, so that a whole chain is built without
/// touching the database for what it itself has changed.
struct EventChain: Sendable {
  let roomID: RoomID?
  let version: RoomVersion
  /// The events that the next one follows.
  private(set) var prevEvents: [EventID]
  /// The depth of the next event.
  private(set) var depth: Int64
  /// The state before the next event.
  private(set) var state: ResolvedState
  /// The alias that is going to lead to the room as soon as its first events are stored.
  var promisedAlias: RoomAlias?
  /// The state events of the chain itself.
  private var changed: [StateKey: Event] = [:]

  /// The greatest depth: the greatest integer of canonical JSON.
  static let greatestDepth: Int64 = 9_007_199_254_740_991

  init(roomID: RoomID?, version: RoomVersion, prevEvents: [EventID], depth: Int64, state: ResolvedState) {
    self.roomID = roomID
    self.version = version
    self.prevEvents = prevEvents
    self.depth = min(max(depth, 1), Self.greatestDepth)
    self.state = state
  }

  /// Returns the event by which the chain has changed this piece of state; nil when it has not.
  func changedEvent(_ key: StateKey) -> Event? { changed[key] }

  /// Moves on behind an event.
  mutating func append(_ event: Event, context: EventContext) {
    prevEvents = [event.eventID]
    depth = min(event.depth + 1, Self.greatestDepth)
    guard let key = event.key else { return }
    state = ResolvedState(group: context.stateGroup, snapshot: state.snapshot.applying([key: event.eventID]))
    changed[key] = event
  }

  /// Finds state events before the next event.
  func stateEvents(_ keys: [StateKey], _ service: StateService) async throws -> [StateKey: Event] {
    var found: [StateKey: Event] = [:]
    var missing: [StateKey] = []
    for key in keys {
      if let event = changed[key] { found[key] = event } else { missing.append(key) }
    }
    guard !missing.isEmpty else { return found }
    for (key, stored) in try await service.authEvents(for: missing, in: state) { found[key] = stored.event }
    return found
  }

  /// Finds one state event before the next event.
  func stateEvent(_ key: StateKey, _ service: StateService) async throws -> Event? {
    try await stateEvents([key], service)[key]
  }
}

extension EventChain {
  /// Returns the same chain in the room that its first event has named.
  func named(_ roomID: RoomID) -> EventChain {
    var copy = EventChain(roomID: roomID, version: version, prevEvents: prevEvents, depth: depth, state: state)
    copy.changed = changed
    copy.promisedAlias = promisedAlias
    return copy
  }
}
