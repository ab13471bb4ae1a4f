import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// The reader of timelines: the newest events of rooms that a filter passes and a user may see.
///
/// Rooms with the same span and limit share a statement; those whose newest events are in memory need none.
final class TimelineReader: Sendable {
  /// The one for whom timelines are read.
  struct Viewer: Sendable {
    let user: UserID
    /// Users of whom nothing but state is shown.
    let ignoredUsers: Set<UserID>
  }

  /// A timeline that is being read.
  fileprivate struct Draft {
    let request: TimelineRequest
    var timeline: RoomTimeline
    /// Events of which it is not known yet whether the reader may see them, oldest first.
    var candidates: [StoredEvent] = []

    init(_ request: TimelineRequest) {
      self.request = request
      timeline = RoomTimeline(previous: request.after ?? request.upTo)
    }
  }

  /// What the requests have in common that one statement answers.
  private struct Span: Hashable {
    let after: RoomStreamToken?
    let upTo: RoomStreamToken
    let limit: Int
    /// Whether the newest events of the rooms are followed in memory.
    let isFollowed: Bool

    init(_ request: TimelineRequest) {
      after = request.after
      upTo = request.upTo
      limit = max(1, request.limit)
      isFollowed = if case .joined = request.view { true } else { false }
    }
  }

  /// How often older events are fetched when the reader may not see enough of the newest ones.
  private static let refills = 4

  private let events: EventStore
  private let openness: HistoryOpenness
  private let visibility: VisibilityFilter

  init(events: EventStore, openness: HistoryOpenness, visibility: VisibilityFilter) {
    self.events = events
    self.openness = openness
    self.visibility = visibility
  }

  /// Reads the timelines of rooms.
  ///
  /// - Parameters:
  ///   - requests: the rooms, each one once.
  ///   - filter: what passes; its limit does not count.
  /// - Returns: the timelines in the order of the requests.
  func timelines(
    _ requests: [TimelineRequest], for viewer: Viewer, filter: EventFilter
  ) async throws -> [RoomTimeline] {
    var drafts = requests.map(Draft.init)
    guard !drafts.isEmpty, !filter.blocksAll else { return drafts.map(\.timeline) }
    try await loadCandidates(&drafts, filter)
    try await show(&drafts, Array(drafts.indices), viewer)
    for _ in 0..<Self.refills {
      let short = drafts.indices.filter { drafts[$0].isRefillable }
      guard !short.isEmpty else { break }
      for index in short { try await refill(&drafts[index], filter) }
      try await show(&drafts, short, viewer)
    }
    try await addFarewells(&drafts, filter)
    for index in drafts.indices { drafts[index].finish() }
    return drafts.map(\.timeline)
  }

  // MARK: Loading

  private func loadCandidates(_ drafts: inout [Draft], _ filter: EventFilter) async throws {
    var groups: [Span: [Int]] = [:]
    for (index, draft) in drafts.enumerated() {
      guard draft.request.view != .outside, filter.passes(room: draft.request.room.rawValue) else { continue }
      groups[Span(draft.request), default: []].append(index)
    }
    let condition = filter.condition
    for (span, group) in groups {
      let followed = span.isFollowed && filter.passesAll
      let indices = followed && span.after != nil ? try await loadRecent(&drafts, group, span) : group
      guard !indices.isEmpty else { continue }
      let rooms = indices.map { drafts[$0].request.room }
      let pages =
        if followed, span.after == nil {
          try await events.newestEvents(rooms: rooms, upTo: span.upTo, limit: span.limit)
        } else {
          try await events.latestEvents(
            rooms: rooms, after: span.after, upTo: span.upTo, limit: span.limit, condition: condition)
        }
      for index in indices { if let page = pages[drafts[index].request.room] { drafts[index].take(page) } }
    }
  }

  /// Loads from memory what has just come; returns the drafts for which memory does not reach back far enough.
  private func loadRecent(_ drafts: inout [Draft], _ indices: [Int], _ span: Span) async throws -> [Int] {
    guard let after = span.after else { return indices }
    var unknown: [Int] = []
    for index in indices {
      let page = try await events.recentEvents(
        roomID: drafts[index].request.room, after: after, upTo: span.upTo, limit: span.limit)
      if let page { drafts[index].take(page) } else { unknown.append(index) }
    }
    return unknown
  }

  /// Replaces a draft's candidates by the ones before them.
  private func refill(_ draft: inout Draft, _ filter: EventFilter) async throws {
    guard let oldest = draft.candidates.first else { return }
    draft.take(
      try await events.latestEvents(
        roomID: draft.request.room, after: draft.request.after,
        upTo: RoomStreamToken(stream: oldest.streamOrdering - 1), limit: max(10, draft.request.limit * 2),
        condition: filter.condition))
  }

  /// Adds the events that show users the end of an invitation or a knock, though they see nothing else of the room at that time.
  private func addFarewells(_ drafts: inout [Draft], _ filter: EventFilter) async throws {
    let ids = drafts.compactMap(\.request.farewell)
    guard !ids.isEmpty else { return }
    let found = try await events.events(ids)
    for index in drafts.indices {
      guard let event = drafts[index].request.farewell.flatMap({ found[$0] }),
        filter.passes(
          type: event.type, sender: event.sender.rawValue, room: event.roomID.rawValue, content: event.content)
      else { continue }
      drafts[index].timeline.entries.append(
        RoomTimeline.Entry(event: event, membership: event.event.membership ?? "leave"))
    }
  }

  // MARK: Seeing

  /// Moves those candidates to the timelines that the reader may see.
  private func show(_ drafts: inout [Draft], _ indices: [Int], _ viewer: Viewer) async throws {
    let open = try await openness.openSince(
      indices.filter { !drafts[$0].candidates.isEmpty }.map { drafts[$0].request.room })
    var doubtful: [StoredEvent] = []
    var shown: [EventID: RoomTimeline.Entry] = [:]
    for index in indices {
      let draft = drafts[index]
      for event in draft.candidates {
        if draft.isOpen(event, since: open[draft.request.room]) {
          guard event.event.isState || !viewer.ignoredUsers.contains(event.sender) else { continue }
          shown[event.eventID] = RoomTimeline.Entry(event: event, membership: "join")
        } else {
          doubtful.append(event)
        }
      }
    }
    if !doubtful.isEmpty {
      for visible in try await visibility.visible(doubtful, to: viewer.user) {
        // The event may come in another form than the stored one, which is not for this reader.
        shown[visible.event.eventID] = RoomTimeline.Entry(event: visible.event, membership: visible.membership)
      }
    }
    for index in indices {
      let new = drafts[index].candidates.compactMap { shown[$0.eventID] }
      drafts[index].timeline.entries.insert(contentsOf: new, at: 0)
    }
  }
}

extension TimelineReader.Draft {
  /// Whether older events may bring the timeline up to its limit.
  fileprivate var isRefillable: Bool {
    timeline.isLimited && timeline.entries.count < request.limit && !candidates.isEmpty
  }

  fileprivate mutating func take(_ page: EventPage) {
    candidates = page.events
    timeline.isLimited = page.isLimited
  }

  /// Returns whether an event is seen without a closer look: the user has been in the room at it, and members may see
  /// everything.
  fileprivate func isOpen(_ event: StoredEvent, since openSince: Int64?) -> Bool {
    guard case .joined(let joinedAt) = request.view, let openSince else { return false }
    return event.streamOrdering >= joinedAt && event.streamOrdering > openSince && !event.isSoftFailed
      && event.type != EventType.historyVisibility
  }

  /// Cuts the timeline to the limit and notes from where older events are found. Where all of a room is shown, that is its end, as on
  /// Synapse: clients that page back from there expect to find these events again.
  fileprivate mutating func finish() {
    if timeline.entries.count > request.limit {
      timeline.entries.removeFirst(timeline.entries.count - request.limit)
      timeline.isLimited = true
    }
    if request.after == nil, !timeline.isLimited {
      timeline.previous = request.upTo
    } else if let first = timeline.entries.first {
      timeline.previous = RoomStreamToken(stream: first.event.streamOrdering - 1)
    } else if timeline.isLimited {
      timeline.previous = request.upTo
    }
  }
}
