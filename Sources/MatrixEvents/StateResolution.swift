import MatrixPrimitives

/// The resolution of a room's conflicting states into one, by the algorithm of its version: 1, 2 or 2.1.
///
/// Algorithm 1 (room version 1) settles one slot after the other by depth. Algorithm 2 (versions 2 to 11) orders all disputed events and
/// what their auth chains disagree about, first those that grant or take power, then the others along the line of power levels, and
/// replays them onto the undisputed state under the auth rules. Algorithm 2.1 (version 12) replays onto an empty state and includes the
/// events between the disputed ones, so that no state of long ago comes back.
///
/// Source: the sections "State resolution" of the pages of room versions 1, 2 and 12. The result depends on nothing but the arguments: every tie is broken by event id. Nothing recurses.
public enum StateResolution {
  /// Resolves states.
  /// - Parameters:
  ///   - version: the room's version, which chooses the algorithm.
  ///   - stateSets: the states after each previous event.
  ///   - authChainDifference: the events in some but not all of the sets' auth chains; algorithm 1 does not look at it.
  ///   - conflictedSubgraph: the events on auth paths between conflicted events; needed by algorithm 2.1 only.
  ///   - isRejected: whether an event was rejected; such events do not get into the state and authorise nothing. Algorithm 1 does
  ///     not know of rejections.
  ///   - events: finds an event; it is asked once for each. An event that is not found is left out.
  /// - Returns: the one event for each slot.
  /// - Throws: whatever `events` throws.
  public static func resolve(
    version: RoomVersion, stateSets: [StateMap], authChainDifference: Set<EventID> = [],
    conflictedSubgraph: Set<EventID>? = nil, isRejected: (EventID) -> Bool = { _ in false },
    events: (EventID) throws -> Event?
  ) throws -> StateMap {
    let (unconflicted, conflicted) = separate(stateSets, version: version)
    if conflicted.isEmpty { return unconflicted }
    if version.stateResolution == .v1 {
      return try withoutActuallyEscaping(events) { events in
        var resolver = StateResolverV1(unconflicted: unconflicted, find: events)
        return unconflicted.merging(try resolver.resolve(conflicted)) { $1 }
      }
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
  ///
  /// By algorithms 2 and 2.1 a slot that is missing from one of the states is disputed; by algorithm 1 it is not.
  public static func separate(
    _ stateSets: [StateMap], version: RoomVersion
  ) -> (unconflicted: StateMap, conflicted: [StateKey: Set<EventID>]) {
    guard let first = stateSets.first else { return ([:], [:]) }
    let others = stateSets.dropFirst()
    let mayBeMissing = version.stateResolution == .v1
    // Most of a state is agreed on: what is not is taken out again instead of putting all the rest in.
    var unconflicted = first
    var conflicted: [StateKey: Set<EventID>] = [:]
    for (key, id) in first {
      let isAgreed = others.allSatisfy { set in set[key].map { $0 == id } ?? mayBeMissing }
      if isAgreed { continue }
      unconflicted[key] = nil
      conflicted[key] = Set(stateSets.compactMap { $0[key] })
    }
    for set in others {
      for (key, id) in set where first[key] == nil && conflicted[key] == nil {
        let ids = Set(others.compactMap { $0[key] })
        if mayBeMissing, ids.count == 1 { unconflicted[key] = id } else { conflicted[key] = ids }
      }
    }
    return (unconflicted, conflicted)
  }
}
