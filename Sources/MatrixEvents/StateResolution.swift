import MatrixPrimitives

/// Resolves conflicting states of a room into one, by algorithms 2 and 2.1 of the specification.
///
/// The result depends on nothing but the arguments: every tie is broken by event id. Nothing recurses.
public enum StateResolution {
  /// Resolves states.
  /// - Parameters:
  ///   - version: the room's version, which chooses the algorithm.
  ///   - stateSets: the states after each previous event.
  ///   - authChainDifference: the events in some but not all of the sets' auth chains.
  ///   - conflictedSubgraph: the events on auth paths between conflicted events; needed by algorithm 2.1 only.
  ///   - isRejected: tells whether an event was rejected; such events do not get into the state and authorise nothing.
  ///   - events: finds an event; it is asked once for each. An event that is not found is left out.
  /// - Returns: the one event for each slot.
  /// - Throws: `EventError` with `unsupported` for version 1's algorithm, and whatever `events` throws.
  public static func resolve(
    version: RoomVersion, stateSets: [StateMap], authChainDifference: Set<EventID>,
    conflictedSubgraph: Set<EventID>? = nil, isRejected: (EventID) -> Bool = { _ in false },
    events: (EventID) throws -> Event?
  ) throws -> StateMap {
    let (unconflicted, conflicted) = separate(stateSets)
    if conflicted.isEmpty { return unconflicted }
    guard version.stateResolution != .v1 else {
      throw EventError(.unsupported, "State resolution of room version 1 is not supported.")
    }
    var fullConflictedSet = authChainDifference
    for ids in conflicted.values { fullConflictedSet.formUnion(ids) }
    if version.stateResolution == .v2Dot1, let conflictedSubgraph {
      fullConflictedSet.formUnion(conflictedSubgraph)
    }
    return try withoutActuallyEscaping(events) { events in
      try withoutActuallyEscaping(isRejected) { isRejected in
        var resolver = StateResolver(find: events, isRejected: isRejected)
        let base = version.stateResolution == .v2Dot1 ? [:] : unconflicted
        var resolved = try resolver.resolve(fullConflictedSet, base: base)
        resolved.merge(unconflicted) { _, unconflicted in unconflicted }
        return resolved
      }
    }
  }

  /// Splits states into slots all agree on and slots with the different events in them.
  public static func separate(_ stateSets: [StateMap]) -> (unconflicted: StateMap, conflicted: [StateKey: Set<EventID>])
  {
    guard let first = stateSets.first else { return ([:], [:]) }
    var unconflicted: StateMap = [:]
    var conflicted: [StateKey: Set<EventID>] = [:]
    for (key, id) in first {
      if stateSets.dropFirst().allSatisfy({ $0[key] == id }) {
        unconflicted[key] = id
      } else {
        conflicted[key, default: []].insert(id)
      }
    }
    for set in stateSets.dropFirst() {
      for (key, id) in set where unconflicted[key] == nil {
        conflicted[key, default: []].insert(id)
      }
    }
    return (unconflicted, conflicted)
  }
}
