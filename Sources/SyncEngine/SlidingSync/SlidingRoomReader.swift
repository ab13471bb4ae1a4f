import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// The reader of what is sent of rooms, for a batch of them together.
///
/// Cost: a constant number of statements, however many rooms there are, but for rooms that the user has left.
struct SlidingRoomReader: Sendable {
  let service: SlidingSyncService
  let request: SlidingSyncRequest
  let place: SlidingConnectionStore.Place
  let from: StreamToken?
  let now: StreamToken
  let window: SlidingWindow
  let ignoredUsers: Set<UserID>

  var user: UserID { request.requester.userID }

  /// Reads rooms, and notes what the client has of them then.
  ///
  /// - Parameter rooms: rooms of the window.
  /// - Returns: rooms without news are among them.
  func rooms(
    _ rooms: ArraySlice<RoomID>, _ changes: inout SlidingConnectionChanges
  ) async throws -> [SlidingRoomResult] {
    var drafts = rooms.compactMap(draft)
    guard !drafts.isEmpty else { return [] }
    try await addDepartures(&drafts)
    try await addTimelines(&drafts)
    try await addDeltas(&drafts)
    let choices = drafts.map { $0.isStripped ? SlidingStateChoice() : SlidingStateChoice($0, user: user) }
    try await addStates(&drafts, choices)
    let members = try await addChoices(&drafts, choices, &changes)
    for (index, draft) in drafts.enumerated() { note(draft, members[index], &changes) }
    return try await results(drafts)
  }

  private func draft(_ id: RoomID) -> SlidingRoomDraft? {
    guard let room = window.rooms[id], let config = window.wanted[id] else { return nil }
    let connection = place.connection
    var start: RoomStreamToken?
    var isBehind = false
    if let from, !room.isNewlyJoined {
      switch connection.rooms[id] {
      case .live: start = from.room
      case .previously(let token):
        start = token
        isBehind = true
      case nil: break
      }
    }
    return SlidingRoomDraft(
      membership: room.membership, config: config, previousConfig: connection.configs[id], from: start,
      isBehind: isBehind, isNewlyLeft: room.isNewlyLeft)
  }

  /// Finds where the user's view of the rooms ends that they have left.
  private func addDepartures(_ drafts: inout [SlidingRoomDraft]) async throws {
    let outside = drafts.filter(\.isOutside).map(\.id)
    guard !outside.isEmpty else { return }
    let departures = try await service.readers.memberships.departures(of: user, from: outside)
    for index in drafts.indices where drafts[index].isOutside { drafts[index].departure = departures[drafts[index].id] }
  }

  // MARK: Timelines

  private func addTimelines(_ drafts: inout [SlidingRoomDraft]) async throws {
    let shown = drafts.indices.filter { drafts[$0].hasTimeline }
    guard !shown.isEmpty else { return }
    let timelines = try await service.readers.timelines.timelines(
      shown.map { timelineRequest(drafts[$0]) },
      for: TimelineReader.Viewer(user: user, ignoredUsers: ignoredUsers), filter: EventFilter())
    for (index, timeline) in zip(shown, timelines) {
      drafts[index].timeline = finished(timeline, of: drafts[index])
    }
  }

  /// Returns what is wanted of a room's timeline. Rooms that the client has to different points are asked for together, without the point and with an
  /// event more, which shows whether there is a gap.
  private func timelineRequest(_ draft: SlidingRoomDraft) -> TimelineRequest {
    let view: TimelineRequest.View =
      if draft.isJoined { .joined(at: draft.membership.streamOrdering) } else {
        draft.departure == nil ? .outside : .departed
      }
    let isCut = draft.isBehind && !draft.isExpanded
    var request = TimelineRequest(
      room: draft.id, view: view, after: draft.isExpanded || isCut ? nil : draft.from, upTo: draft.end(now),
      limit: draft.config.timelineLimit + (isCut ? 1 : 0))
    let membership = draft.membership
    let isShown = draft.isExpanded || !(draft.from.map { covers($0, membership) } ?? false)
    if draft.isOutside, draft.departure?.eventID != membership.eventID, isShown {
      request.farewell = membership.eventID
    }
    return request
  }

  private func covers(_ token: RoomStreamToken, _ membership: RoomForUser) -> Bool {
    token.position.covers(membership.streamOrdering, instance: membership.instanceName)
  }

  private func finished(_ timeline: RoomTimeline, of draft: SlidingRoomDraft) -> RoomTimeline {
    var timeline = timeline
    if draft.isBehind, !draft.isExpanded, let from = draft.from {
      let limit = draft.config.timelineLimit
      let count = timeline.entries.count
      timeline.entries.removeAll { from.position.covers($0.event.streamOrdering, instance: $0.event.instanceName) }
      // Where many events are not for the reader, the search for others may have ended before the point.
      let hasReachedPoint = timeline.entries.count < count || !timeline.isLimited
      timeline.isLimited = timeline.entries.count > limit || !hasReachedPoint
      if timeline.entries.count > limit { timeline.entries.removeFirst(timeline.entries.count - limit) }
    }
    if let first = timeline.entries.first {
      timeline.previous = RoomStreamToken(stream: first.event.streamOrdering - 1)
    }
    return timeline
  }

  // MARK: Changes of state

  private func addDeltas(_ drafts: inout [SlidingRoomDraft]) async throws {
    let spans = drafts.compactMap { draft in
      draft.from.flatMap { from in
        draft.seesState && !draft.isStripped ? RoomSpan(room: draft.id, after: from, upTo: draft.end(now)) : nil
      }
    }
    let deltas = try await service.stores.events.stateDeltas(in: spans)
    for index in drafts.indices where !drafts[index].isInitial {
      if drafts[index].isNewlyLeft {
        // The end of an invitation is no change of the room's state.
        drafts[index].membershipChanged = true
        drafts[index].deltas[StateKey(EventType.member, user.rawValue)] = drafts[index].membership.eventID
      }
      for delta in deltas[drafts[index].id] ?? [] { drafts[index].apply(delta) }
    }
  }

  // MARK: What the client has

  /// Notes what the client has of a room after the answer.
  ///
  /// A shorter timeline than before counts only where there is a gap: without one the client has the longer one still.
  private func note(
    _ draft: SlidingRoomDraft, _ effective: SlidingRequiredState?, _ changes: inout SlidingConnectionChanges
  ) {
    let config = SlidingRoomConfig(
      timelineLimit: draft.config.timelineLimit, requiredState: effective ?? draft.config.requiredState)
    guard let previous = draft.previousConfig, !draft.isExpanded else {
      changes.configs[draft.id] = config
      return
    }
    let isShorter = draft.timeline?.isLimited ?? false && previous.timelineLimit > draft.config.timelineLimit
    if isShorter || effective != nil { changes.configs[draft.id] = config }
  }
}

extension SlidingRoomDraft {
  /// Takes note of a change of the room's state. The removal of an entry cannot be expressed to clients.
  fileprivate mutating func apply(_ delta: StateDelta) {
    if let id = delta.eventID { deltas[delta.key] = id }
    if delta.key.type == EventType.member { membershipChanged = true }
    if delta.key == StateKey(EventType.name) { nameChanged = true }
    if delta.key == StateKey(EventType.avatar) { avatarChanged = true }
  }
}
