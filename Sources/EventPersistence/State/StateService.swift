import Logging
import MatrixEvents
import MatrixPrimitives
import StorageEngine
import Stores

/// The state of rooms before and after events: finding it, resolving forks, and making state groups for new events.
public final class StateService: Sendable {
  let stores: RoomStores
  let resolver: ForkResolver
  /// The results of resolutions; the key is the groups in ascending order.
  private let resolutions: Cache<[Int64], ResolvedState>
  private let logger: Logger

  /// Makes the service.
  public init(stores: RoomStores, logger: Logger) {
    self.stores = stores
    self.logger = logger
    resolver = ForkResolver(stores: stores)
    resolutions = stores.caches.cache("*stateResolution*", capacity: 2_000)
  }

  // MARK: for new events

  /// Finds the state before an event that follows `prevEvents`.
  ///
  /// Cost: nothing when the groups are cached; a state resolution when the branches differ.
  ///
  /// - Throws: `StoreError` when the state after a previous event is not known.
  public func stateBefore(
    roomID: RoomID, version: RoomVersion, prevEvents: [EventID]
  ) async throws -> ResolvedState {
    guard !prevEvents.isEmpty else { return ResolvedState(group: nil, snapshot: StateSnapshot()) }
    let groups = try await stores.state.stateGroups(of: prevEvents)
    if let unknown = prevEvents.first(where: { groups[$0] == nil }) {
      throw StoreError("the state after \(unknown.rawValue) is not known")
    }
    return try await resolve(
      roomID: roomID, version: version, groups: Set(groups.values), eventID: prevEvents[0])
  }

  /// Resolves the states of groups into one, which gets a group of its own unless it equals one of them.
  ///
  /// - Parameter eventID: an event with which a new group is tagged.
  func resolve(
    roomID: RoomID, version: RoomVersion, groups: Set<Int64>, eventID: EventID
  ) async throws -> ResolvedState {
    let sorted = groups.sorted()
    if let only = sorted.first, sorted.count == 1 {
      return ResolvedState(group: only, snapshot: try await stores.state.snapshot(group: only))
    }
    return try await resolutions.value(sorted) { [self] in
      var states: [StateSnapshot] = []
      for group in sorted { states.append(try await stores.state.snapshot(group: group)) }
      let resolved = StateSnapshot(try await resolver.resolve(version: version, states: states))
      return try await named(resolved, among: zip(sorted, states), roomID: roomID, eventID: eventID)
    }
  }

  /// Finds or makes the group of a resolved state. A new one is written at once: others may build on it.
  private func named(
    _ resolved: StateSnapshot, among branches: some Sequence<(Int64, StateSnapshot)>, roomID: RoomID, eventID: EventID
  ) async throws -> ResolvedState {
    var best: (group: Int64, state: StateSnapshot, delta: StateMap)?
    for (group, state) in branches {
      let change = resolved.changes(since: state)
      guard change.removed.isEmpty else { continue }  // a group cannot take entries away from another
      if change.inserted.isEmpty { return ResolvedState(group: group, snapshot: state) }
      if best.map({ change.inserted.count < $0.delta.count }) ?? true { best = (group, state, change.inserted) }
    }
    let made = try await stores.state.makeGroup(
      roomID: roomID, eventID: eventID, previous: best?.group, delta: best?.delta ?? resolved.map,
      base: best?.state ?? StateSnapshot())
    try await stores.state.storeGroups([made])
    return ResolvedState(group: made.id, snapshot: resolved)
  }

  /// Ties a new event to the state before it. For a state event a new group is named, whose rows are not written yet: they
  /// are in the context's `newGroups`.
  public func context(for event: Event, before: ResolvedState) async throws -> EventContext {
    guard let key = event.key else {
      guard let group = before.group else { throw StoreError("\(event.eventID.rawValue) follows no state") }
      return EventContext(stateGroupBeforeEvent: group, stateGroup: group)
    }
    var new: [NewStateGroup] = []
    let previous: Int64
    if let group = before.group {
      previous = group
    } else {
      // A room begins with a group without entries.
      let empty = try await stores.state.makeGroup(
        roomID: event.roomID, eventID: event.eventID, previous: nil, delta: [:], base: StateSnapshot())
      new.append(empty)
      previous = empty.id
    }
    let delta: StateMap = [key: event.eventID]
    let after = try await stores.state.makeGroup(
      roomID: event.roomID, eventID: event.eventID, previous: previous, delta: delta, base: before.snapshot)
    new.append(after)
    return EventContext(
      stateGroupBeforeEvent: previous, stateGroup: after.id,
      stateGroupDeltas: [StateGroupDelta(from: previous, to: after.id, changes: delta)], stateDeltaDueToEvent: delta,
      newGroups: new)
  }

  /// Ties an event to the state that follows from its previous events.
  public func context(for event: Event) async throws -> EventContext {
    try await context(
      for: event,
      before: try await stateBefore(roomID: event.roomID, version: event.version, prevEvents: event.prevEvents))
  }

  /// Returns the state after an event whose context was just made, to make the context of the next one in a batch.
  public func stateAfter(_ context: EventContext) async throws -> ResolvedState {
    guard let group = context.stateGroup else { throw StoreError("an outlier has no state") }
    try await stores.state.hold(context.newGroups)
    return ResolvedState(group: group, snapshot: try await stores.state.snapshot(group: group))
  }

  /// Writes the new groups of contexts now, in one transaction, as needed before another process is asked to persist the events.
  ///
  /// - Returns: the contexts without them.
  public func store(_ contexts: [EventContext]) async throws -> [EventContext] {
    try await stores.state.storeGroups(contexts.flatMap(\.newGroups))
    return contexts.map { context in
      var stored = context
      stored.newGroups = []
      return stored
    }
  }

  // MARK: reading

  /// Reads the state before an event by its context; empty for outliers.
  public func stateMapBefore(_ context: EventContext, filter: StateFilter = .all) async throws -> StateMap {
    guard let group = context.stateGroupBeforeEvent else { return [:] }
    return try await stores.state.stateMap(group: group, filter: filter)
  }

  /// Reads the state after an event by its context; empty for outliers.
  public func stateMapAfter(_ context: EventContext, filter: StateFilter = .all) async throws -> StateMap {
    guard let group = context.stateGroup else { return [:] }
    return try await stores.state.stateMap(group: group, filter: filter)
  }

  /// Reads the state after a stored event; empty for outliers and unknown events.
  public func stateAfter(eventID: EventID, filter: StateFilter = .all) async throws -> StateMap {
    guard let group = try await stores.state.stateGroup(of: eventID) else { return [:] }
    return try await stores.state.stateMap(group: group, filter: filter)
  }

  /// Reads the states after many stored events; outliers and unknown events are absent.
  public func statesAfter(events: [EventID], filter: StateFilter) async throws -> [EventID: StateMap] {
    var result: [EventID: StateMap] = [:]
    var maps: [Int64: StateMap] = [:]
    for (event, group) in try await stores.state.stateGroups(of: events) {
      if maps[group] == nil { maps[group] = try await stores.state.stateMap(group: group, filter: filter) }
      result[event] = maps[group]
    }
    return result
  }

  /// Reads the state before a stored event; empty for outliers and unknown events.
  public func stateBefore(eventID: EventID, filter: StateFilter = .all) async throws -> StateMap {
    guard let stored = try await stores.events.event(eventID, allowRejected: true), !stored.isOutlier else {
      return [:]
    }
    if !stored.event.isState || stored.isRejected { return try await stateAfter(eventID: eventID, filter: filter) }
    return try await stateBefore(
      roomID: stored.roomID, version: stored.event.version, prevEvents: stored.event.prevEvents
    ).map(filter)
  }

  /// Reads the state of a room as it was at a point of the stream: the state after the newest event at or before it.
  public func stateAt(
    roomID: RoomID, token: RoomStreamToken, filter: StateFilter = .all
  ) async throws -> StateMap {
    guard let last = try await stores.events.lastEvent(roomID: roomID, upTo: token) else { return [:] }
    return try await stateAfter(eventID: last.eventID, filter: filter)
  }

  /// Reads the events of a state.
  public func stateEvents(_ map: StateMap) async throws -> [StateKey: StoredEvent] {
    let events = try await stores.events.events(Array(map.values))
    return map.compactMapValues { events[$0] }
  }

  /// Reads the events of the given entries of a state, as needed to authorise an event.
  public func authEvents(for keys: [StateKey], in state: ResolvedState) async throws -> [StateKey: StoredEvent] {
    try await stateEvents(state.map(.keys(keys)))
  }
}
