import MatrixEvents
import MatrixPrimitives
import Stores

/// The reader of the rooms that a request is about: lists are filtered, ordered by the newest event, and cut to the ranges that the client looks at.
///
/// Cost: nothing for what is in memory, one statement for what is not, however many rooms there are.
struct SlidingWindowReader: Sendable {
  /// A room on its way into lists.
  private struct Candidate {
    let room: RoomForUser
    /// What is known of a room that the user is in.
    let joined: SlidingRoomStore.Room?
    /// The place by which the room is ordered.
    let activity: Int64
  }

  /// How many rooms may have changed before a client that was away for long had better begin anew, as on Synapse.
  private static let mostChangedRooms = 100
  /// For how long a client has been away then, in milliseconds, as on Synapse.
  private static let longAbsenceMilliseconds: Int64 = 3_600_000

  let service: SlidingSyncService
  let request: SlidingSyncRequest
  let connection: SlidingConnection
  let from: StreamToken?

  private var user: UserID { request.requester.userID }
  private var body: SlidingSyncBody { request.body }

  /// Reads the rooms.
  ///
  /// - Parameters:
  ///   - memberships: the user's relations to rooms.
  ///   - now: the point up to which they are so.
  /// - Throws: `M_UNKNOWN_POS` when the client had better begin anew.
  func window(_ memberships: [RoomForUser], _ now: StreamToken) async throws -> SlidingWindow {
    var window = SlidingWindow()
    let data = try await service.stores.accountData.data(of: user)
    window.direct = Self.directRooms(data)
    let spans = try await spans(memberships, now)
    let candidates = try await candidates(memberships, spans, ignored: data.ignoredUsers)
    for candidate in candidates { window.rooms[candidate.room.roomID] = room(candidate.room, spans) }
    for (name, list) in body.lists {
      let filter = try await SlidingListFilter(
        list.filters, service: service, user: user, data: data, direct: window.direct,
        outside: candidates.lazy.filter { $0.joined == nil }.map(\.room))
      let rooms = candidates.filter { filter.passes($0.room, $0.joined) }.map(\.room.roomID)
      add(name, list, rooms, to: &window)
    }
    addSubscriptions(memberships, spans, to: &window)
    try chooseRooms(changedRooms(candidates, now), in: &window)
    return window
  }

  // MARK: Candidates

  /// Reads how the user's memberships changed since the client's token.
  private func spans(_ memberships: [RoomForUser], _ now: StreamToken) async throws -> [RoomID: MembershipSpan] {
    guard let from else { return [:] }
    return try await service.readers.memberships.changes(
      of: user, in: memberships, after: from.room, upTo: now.room, excluding: service.sync.settings.excludedRooms)
  }

  private func room(_ membership: RoomForUser, _ spans: [RoomID: MembershipSpan]) -> SlidingWindow.Room {
    guard let span = spans[membership.roomID] else { return SlidingWindow.Room(membership: membership) }
    return SlidingWindow.Room(
      membership: membership, isNewlyJoined: membership.membership == .join && span.wasAway,
      isNewlyLeft: membership.membership == .leave && Self.hasLeft(span))
  }

  private static func hasLeft(_ span: MembershipSpan) -> Bool {
    span.before != "leave" || span.changes.contains { $0.membership != "leave" }
  }

  /// Finds the rooms that may be in lists, the one with the newest event first: rooms that the user has left of their own will only when that is news.
  private func candidates(
    _ memberships: [RoomForUser], _ spans: [RoomID: MembershipSpan], ignored: Set<UserID>
  ) async throws -> [Candidate] {
    let shown = memberships.filter { room in
      guard isKnown(room) else { return false }
      switch room.membership {
      case .join, .knock, .ban: return true
      case .invite: return !ignored.contains(room.sender)
      case .leave: return room.sender != user || spans[room.roomID].map(Self.hasLeft) ?? false
      }
    }
    let joined = try await service.slidingRooms.rooms(shown.lazy.filter { $0.membership == .join }.map(\.roomID))
    return shown.map { room in
      let known = joined[room.roomID]
      return Candidate(room: room, joined: known, activity: known?.lastEvent ?? room.streamOrdering)
    }.sorted { ($1.activity, $0.room.roomID) < ($0.activity, $1.room.roomID) }
  }

  private func isKnown(_ room: RoomForUser) -> Bool {
    room.roomVersion != nil && !room.isForgotten && !service.sync.settings.excludedRooms.contains(room.roomID)
  }

  /// Reads which rooms the user has with single people; what the client wrote there may have any form.
  private static func directRooms(_ data: UserAccountData) -> Set<RoomID> {
    guard let content = data.global["m.direct"]?.content,
      // What is no JSON names no rooms.
      let members = try? JSONValue.parse(content, maximumDepth: JSONDocument.storedDepth).members
    else { return [] }
    var rooms: Set<RoomID> = []
    for (_, list) in members {
      for room in list.elements.map(Array.init) ?? [] {
        if let room = room.string { rooms.insert(RoomID(unchecked: room)) }
      }
    }
    return rooms
  }

  // MARK: Lists and subscriptions

  private func add(_ name: Text, _ list: SlidingSyncBody.List, _ rooms: [RoomID], to window: inout SlidingWindow) {
    var ranges: [(range: SlidingSyncBody.Range, rooms: [RoomID])] = []
    for range in list.ranges {
      let first = Int(clamping: min(range.first, Int64(rooms.count)))
      let end = Int(clamping: min(range.last, Int64(rooms.count) - 1)) + 1
      let seen = first < end ? Array(rooms[first..<end]) : []
      ranges.append((range, seen))
      for room in seen {
        window.wanted[room] = window.wanted[room]?.combined(with: list.config) ?? list.config
      }
    }
    window.lists[name] = SlidingWindow.List(count: rooms.count, ranges: ranges)
  }

  /// Adds rooms that the user is or was in; those that were left are among them.
  private func addSubscriptions(
    _ memberships: [RoomForUser], _ spans: [RoomID: MembershipSpan], to window: inout SlidingWindow
  ) {
    guard !body.subscriptions.isEmpty else { return }
    for membership in memberships where isKnown(membership) && window.rooms[membership.roomID] == nil {
      guard body.subscriptions[membership.roomID] != nil, membership.membership != .invite else { continue }
      window.rooms[membership.roomID] = room(membership, spans)
    }
    for (room, config) in body.subscriptions where window.rooms[room] != nil {
      window.wanted[room] = window.wanted[room]?.combined(with: config) ?? config
    }
  }

  // MARK: News

  /// Finds the rooms in which something has happened since the client's token; may have some too many.
  private func changedRooms(_ candidates: [Candidate], _ now: StreamToken) -> (RoomID) -> Bool {
    guard let from else { return { _ in true } }
    guard let changed = service.stores.events.roomsChanged(candidates.lazy.map(\.room.roomID), since: from.room) else {
      let last = Dictionary(candidates.map { ($0.room.roomID, $0.activity) }) { first, _ in first }
      return { last[$0].map { $0 > from.room.stream } ?? true }
    }
    let memberships = Set(
      candidates.lazy.filter { !from.room.position.covers($0.room.streamOrdering, instance: $0.room.instanceName) }
        .map(\.room.roomID))
    let known = Set(candidates.lazy.map(\.room.roomID))
    return { changed.contains($0) || memberships.contains($0) || !known.contains($0) }
  }

  /// Chooses the rooms to be sent: those that the client has not been sent, or not as far, and those that have news.
  private func chooseRooms(_ hasChanged: (RoomID) -> Bool, in window: inout SlidingWindow) throws {
    guard from != nil else {
      window.toSend = Array(window.wanted.keys)
      return
    }
    var changed = 0
    window.toSend = window.wanted.compactMap { room, config in
      let isNews = hasChanged(room)
      if isNews { changed += 1 }
      guard connection.rooms[room] == .live, !isNews else { return room }
      guard let previous = connection.configs[room] else { return nil }
      return previous.combined(with: config) == previous ? nil : room
    }
    if changed > Self.mostChangedRooms, let lastUsed = connection.lastUsed,
      service.sync.clock.nowMilliseconds - lastUsed > Self.longAbsenceMilliseconds
    {
      throw MatrixError.unknownPosition()
    }
    // Whether in a list or not: a room that no list or subscription names now may be looked at again.
    for (room, sent) in connection.rooms where sent == .live && window.wanted[room] == nil && hasChanged(room) {
      window.unseen.insert(room)
    }
  }
}
