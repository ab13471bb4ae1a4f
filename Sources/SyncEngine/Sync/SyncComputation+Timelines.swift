import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension SyncComputation {
  /// Holds how often older events are fetched when the reader may not see enough of the newest ones.
  private static let refills = 4

  /// Fills the timelines of rooms: the newest events that the filter passes and the reader may see.
  func fillTimelines(_ drafts: inout [RoomDraft], _ changes: RoomChanges, _ memberships: [RoomID: RoomForUser])
    async throws
  {
    guard !filter.timeline.blocksAll else { return }
    try await loadCandidates(&drafts, changes)
    try await show(&drafts, Array(drafts.indices), changes, memberships)
    for _ in 0..<Self.refills {
      let short = drafts.indices.filter { drafts[$0].isLimited && drafts[$0].shown.count < filter.timeline.limit }
      let refillable = short.filter { !drafts[$0].candidates.isEmpty }
      guard !refillable.isEmpty else { break }
      for index in refillable { try await refill(&drafts[index]) }
      try await show(&drafts, refillable, changes, memberships)
    }
    try await addFarewells(&drafts)
    for index in drafts.indices { drafts[index].finishTimeline(limit: filter.timeline.limit) }
  }

  /// Adds the events that tell users of the end of an invitation or a knock, though they see nothing else of the room at that time.
  private func addFarewells(_ drafts: inout [RoomDraft]) async throws {
    let ids = drafts.compactMap(\.farewell)
    guard !ids.isEmpty else { return }
    let events = try await storage.events.events(ids)
    for index in drafts.indices {
      guard let event = drafts[index].farewell.flatMap({ events[$0] }),
        filter.timeline.passes(
          type: event.type, sender: event.sender.rawValue, room: event.roomID.rawValue, content: event.content)
      else { continue }
      drafts[index].shown.append(RoomDraft.Shown(event: event, membership: event.event.membership ?? "leave"))
    }
  }

  private func loadCandidates(_ drafts: inout [RoomDraft], _ changes: RoomChanges) async throws {
    let limit = max(1, filter.timeline.limit)
    let condition = filter.timeline.condition
    var groups: [Text: [Int]] = [:]
    for (index, draft) in drafts.enumerated() {
      guard draft.isJoined ? draft.isFull || changes.withEvents.contains(draft.id) : draft.departure != nil else {
        continue
      }
      guard filter.timeline.passes(room: draft.id.rawValue) else { continue }
      let key = draft.isJoined ? (draft.after == nil ? "whole" : "news") : draft.id.rawValue
      groups[key, default: []].append(index)
    }
    for (key, group) in groups {
      let indices = key == "news" ? try await loadRecent(&drafts, group, limit) : group
      guard let first = indices.first else { continue }
      let rooms = indices.map { drafts[$0].id }
      let pages =
        if key == "whole", filter.timeline.passesAll {
          try await storage.events.newestEvents(rooms: rooms, upTo: drafts[first].end, limit: limit)
        } else {
          try await storage.events.latestEvents(
            rooms: rooms, after: drafts[first].after, upTo: drafts[first].end, limit: limit, condition: condition)
        }
      for index in indices {
        guard let page = pages[drafts[index].id] else { continue }
        drafts[index].candidates = page.events
        drafts[index].isLimited = page.isLimited
      }
    }
  }

  /// Loads from memory what has just come; returns the drafts for which memory does not reach back far enough.
  private func loadRecent(_ drafts: inout [RoomDraft], _ indices: [Int], _ limit: Int) async throws -> [Int] {
    guard filter.timeline.passesAll else { return indices }
    var unknown: [Int] = []
    for index in indices {
      guard let after = drafts[index].after,
        let page = try await storage.events.recentEvents(
          roomID: drafts[index].id, after: after, upTo: drafts[index].end, limit: limit)
      else {
        unknown.append(index)
        continue
      }
      drafts[index].candidates = page.events
      drafts[index].isLimited = page.isLimited
    }
    return unknown
  }

  /// Replaces a draft's candidates by the ones before them.
  private func refill(_ draft: inout RoomDraft) async throws {
    guard let oldest = draft.candidates.first else { return }
    let page = try await storage.events.latestEvents(
      roomID: draft.id, after: draft.after, upTo: RoomStreamToken(stream: oldest.streamOrdering - 1),
      limit: max(10, filter.timeline.limit * 2), condition: filter.timeline.condition)
    draft.candidates = page.events
    draft.isLimited = page.isLimited
  }

  /// Moves those candidates to the timelines that the reader may see.
  private func show(
    _ drafts: inout [RoomDraft], _ indices: [Int], _ changes: RoomChanges, _ memberships: [RoomID: RoomForUser]
  ) async throws {
    let open = try await storage.historyOpenness.openSince(
      indices.filter { !drafts[$0].candidates.isEmpty }.map { drafts[$0].id })
    var doubtful: [StoredEvent] = []
    var shown: [EventID: RoomDraft.Shown] = [:]
    for index in indices {
      let draft = drafts[index]
      let joinedAt = draft.isJoined ? memberships[draft.id].map(\.streamOrdering) : nil
      for event in draft.candidates {
        if let joinedAt, let openSince = open[draft.id], event.streamOrdering >= joinedAt,
          event.streamOrdering > openSince, !event.isSoftFailed, event.type != "m.room.history_visibility"
        {
          if event.event.isState || !changes.ignoredUsers.contains(event.sender) {
            shown[event.eventID] = RoomDraft.Shown(event: event, membership: "join")
          }
        } else {
          doubtful.append(event)
        }
      }
    }
    if !doubtful.isEmpty {
      for visible in try await service.rooms.history.visibility.visible(doubtful, to: user) {
        // The event may come in another form than the stored one, which is not for this reader.
        shown[visible.event.eventID] = RoomDraft.Shown(event: visible.event, membership: visible.membership)
      }
    }
    for index in indices {
      let new = drafts[index].candidates.compactMap { shown[$0.eventID] }
      drafts[index].shown.insert(contentsOf: new, at: 0)
    }
  }
}

extension RoomDraft {
  /// Cuts the timeline to the limit and notes from where older events are found. Where all of a room is shown, that is its end, as on
  /// Synapse: clients that page back from there expect to find these events again.
  fileprivate mutating func finishTimeline(limit: Int) {
    if shown.count > limit {
      shown.removeFirst(shown.count - limit)
      isLimited = true
    }
    if after == nil, !isLimited {
      previous = end
    } else if let first = shown.first {
      previous = RoomStreamToken(stream: first.event.streamOrdering - 1)
    } else if isLimited {
      previous = end
    }
  }
}
