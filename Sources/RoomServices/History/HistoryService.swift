import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Stores

/// What a user may read of a room: events, pages of history, and state.
public final class HistoryService: Sendable {
  /// A page of `/messages`.
  public struct MessagesPage: Sendable {
    /// The rooms of the page, in its order.
    public let chunk: [ClientEvent]
    /// The beginning of the page.
    public let start: StreamToken
    /// The place to go on from; nil at the end of the history.
    public let end: StreamToken?
    /// The membership events of the senders when members are loaded lazily; nil otherwise.
    public let state: [ClientEvent]?
  }

  /// The answer of `/context`.
  public struct EventSurroundings: Sendable {
    /// The events before, nearest first.
    public let before: [ClientEvent]
    /// The event.
    public let event: ClientEvent
    /// The events after, nearest first.
    public let after: [ClientEvent]
    /// The state at the last event.
    public let state: [ClientEvent]
    /// The beginning of the page.
    public let start: StreamToken
    /// The end of the page.
    public let end: StreamToken
  }

  /// The greatest number of events in one answer, as on Synapse.
  public static let greatestLimit = 1000

  let stores: RoomStores
  let state: StateService
  let serializer: ClientEventSerializer
  /// The right of users to read.
  public let access: RoomAccess
  /// The choice of the events that are shown.
  public let visibility: VisibilityFilter

  init(
    stores: RoomStores, state: StateService, serializer: ClientEventSerializer, access: RoomAccess,
    visibility: VisibilityFilter
  ) {
    self.stores = stores
    self.state = state
    self.serializer = serializer
    self.access = access
    self.visibility = visibility
  }

  /// Reads a stream token.
  ///
  /// - Throws: `MatrixError` 400 `M_UNKNOWN` when the text is no token.
  public func token(_ text: Text?) async throws -> StreamToken? {
    guard let text else { return nil }
    guard let token = try await StreamToken.parse(text, directory: stores.context.instances) else {
      throw MatrixError.unknown("Invalid stream token", status: 400)
    }
    return token
  }

  /// Writes a stream token.
  public func text(_ token: StreamToken) async throws -> Text {
    try await token.text(directory: stores.context.instances)
  }

  /// Writes a stream token, where there is one.
  public func text(_ token: StreamToken?) async throws -> Text? {
    guard let token else { return nil }
    return try await text(token)
  }

  // MARK: Single events

  /// Reads one event of whatever room.
  ///
  /// - Throws: `MatrixError` 404 when it does not exist or is not for this user to see.
  public func event(_ id: EventID, requester: Requester) async throws -> ClientEvent {
    guard let stored = try await stores.events.event(id) else { throw MatrixError.notFound("Event not found.") }
    return try await event(id, room: stored.roomID, requester: requester)
  }

  /// Reads one event.
  ///
  /// - Throws: `MatrixError` 404 when it does not exist, is in another room, or is not for this user to see.
  public func event(_ id: EventID, room: RoomID, requester: Requester) async throws -> ClientEvent {
    guard let event = try await stores.events.event(id), event.roomID == room else {
      throw MatrixError.notFound("Event not found.")
    }
    let right = try await rightToEvents(of: requester.userID, in: room)
    guard let visible = try await visibility.visible([event], to: requester.userID, with: right).first
    else { throw MatrixError.notFound("Event not found.") }
    return try await clientEvents([visible], requester).first ?? ClientEvent(event)
  }

  /// Returns the right by which single events are shown; as on Synapse, having been a member does not count.
  private func rightToEvents(of user: UserID, in room: RoomID) async throws -> RoomAccess.Right {
    try await stores.barrier.pass(room: room)
    return try await stores.memberships.isJoined(user, in: room) ? .member : .peeking
  }

  /// Reads an event with its neighbours and the state at the last of them, which is empty for users who may see the event but not that state.
  ///
  /// - Parameter limit: the number of neighbours, shared between both sides; 0 or more.
  /// - Throws: `MatrixError` 404 when the event does not exist, 403 when it is not for this user to see.
  public func surroundings(
    of id: EventID, room: RoomID, limit: Int, filter: EventFilter, requester: Requester
  ) async throws -> EventSurroundings {
    guard let event = try await stores.events.event(id), event.roomID == room else {
      throw MatrixError.notFound("Event not found.")
    }
    let user = requester.userID
    let right = try await rightToEvents(of: user, in: room)
    guard let center = try await visibility.visible([event], to: user, with: right).first else {
      throw MatrixError.forbidden("You don't have permission to access that event.")
    }
    let capped = min(max(limit, 0), Self.greatestLimit)
    let earlier = try await neighbours(event, room, .backward, limit: capped / 2, filter)
    let later = try await neighbours(event, room, .forward, limit: capped - capped / 2, filter)
    let before = try await visibility.visible(earlier.events, to: user, with: right)
    let after = try await visibility.visible(later.events, to: user, with: right)
    let senders = Set((before + [center] + after).map(\.event.sender))
    let stateFilter: StateFilter = filter.lazyLoadMembers ? .lazyMembers(senders) : .all
    let last = after.last?.event.eventID ?? id
    let isShown =
      if right == .member { true } else { try await maySeeState(at: last, room: room, user: user) }
    let map = isShown ? try await state.stateAfter(eventID: last, filter: stateFilter) : [:]
    let stateEvents = try await stores.events.orderedEvents(Array(map.values))
      .filter { filter.passes(type: $0.type) && filter.passes(sender: $0.sender.rawValue) }
    return EventSurroundings(
      before: try await clientEvents(before, requester),
      event: try await clientEvents([center], requester).first ?? ClientEvent(event),
      after: try await clientEvents(after, requester),
      state: try await serializer.prepare(stateEvents, for: requester.userID, bundles: false),
      start: StreamToken().replacingRoom(earlier.end), end: StreamToken().replacingRoom(later.end))
  }

  /// Reads the events just before or just after an event.
  private func neighbours(
    _ event: StoredEvent, _ room: RoomID, _ direction: PageDirection, limit: Int, _ filter: EventFilter
  ) async throws -> TimelineStore.Page {
    let stream = direction == .backward ? event.streamOrdering - 1 : event.streamOrdering
    let point = RoomStreamToken(topological: event.depth, stream: stream)
    guard limit > 0 else { return TimelineStore.Page(events: [], end: point, isLimited: true) }
    return try await stores.timeline.page(
      room: room, from: point, to: nil, direction: direction, limit: limit, filter: filter)
  }

  // MARK: Pages

  /// Reads a page of a room's history.
  ///
  /// - Parameters:
  ///   - start: where to begin; nil for the newest (backwards) or the oldest event (forwards).
  ///   - end: where to stop; nil for the end of the history.
  ///   - limit: the greatest number of events, capped at ``greatestLimit``.
  /// - Throws: `MatrixError` 403 when the user may not look into the room.
  public func messages(
    room: RoomID, from start: StreamToken?, to end: StreamToken?, direction: PageDirection, limit: Int,
    filter: EventFilter, requester: Requester
  ) async throws -> MessagesPage {
    let user = requester.userID
    let right = try await access.right(of: user, in: room)
    let from = begin(start, direction: direction, right: right)
    if !filter.passes(room: room.rawValue) { return MessagesPage(chunk: [], start: from, end: nil, state: nil) }
    let page = try await stores.timeline.page(
      room: room, from: from.room, to: Self.stop(end, direction: direction, right: right), direction: direction,
      limit: min(max(limit, 1), Self.greatestLimit), filter: filter)
    if page.events.isEmpty, !page.isLimited { return MessagesPage(chunk: [], start: from, end: nil, state: nil) }
    let visible = try await visibility.visible(page.events, to: user, with: right)
    let next = from.replacingRoom(page.end)
    var members: [ClientEvent]?
    if filter.lazyLoadMembers, let first = visible.first {
      let keys = Set(visible.map { StateKey("m.room.member", $0.event.sender.rawValue) })
      let map = try await state.stateAfter(eventID: first.event.eventID, filter: .keys(keys))
      let events = try await stores.events.orderedEvents(Array(map.values))
      if !events.isEmpty {
        members = try await serializer.prepare(events, for: user, bundles: false)
      }
    }
    return MessagesPage(chunk: try await clientEvents(visible, requester), start: from, end: next, state: members)
  }

  /// Finds the point at which a page begins: never beyond the event by which a departed user left.
  private func begin(_ start: StreamToken?, direction: PageDirection, right: RoomAccess.Right) -> StreamToken {
    guard direction == .backward else {
      return start ?? StreamToken().replacingRoom(RoomStreamToken(topological: 0, stream: 0))
    }
    let from = start ?? StreamToken().replacingRoom(stores.events.currentToken())
    guard case .departed(let departure) = right, Self.isBeyond(from.room, departure) else { return from }
    return from.replacingRoom(departure.historyToken)
  }

  /// Finds the point at which a page ends: a departed user does not see what came after.
  private static func stop(
    _ end: StreamToken?, direction: PageDirection, right: RoomAccess.Right
  ) -> RoomStreamToken? {
    guard direction == .forward, case .departed(let departure) = right else { return end?.room }
    guard let end, !isBeyond(end.room, departure) else { return departure.historyToken }
    return end.room
  }

  private static func isBeyond(_ token: RoomStreamToken, _ place: EventPosition) -> Bool {
    guard let depth = token.topological else { return token.position.maximum > place.streamOrdering }
    return (depth, token.stream) > (place.depth, place.streamOrdering)
  }

  /// Adds to visible events what clients get with them.
  func clientEvents(_ events: [VisibilityFilter.VisibleEvent], _ requester: Requester) async throws -> [ClientEvent] {
    guard !events.isEmpty else { return [] }
    var memberships: [EventID: Text] = [:]
    memberships.reserveCapacity(events.count)
    for event in events { memberships[event.event.eventID] = event.membership }
    return try await serializer.prepare(events.map(\.event), for: requester.userID, memberships: memberships)
  }

  /// The greatest number of events that are looked at to find one near a time that the user may see.
  private static let greatestSearch = 1000

  /// Finds the event nearest to a time among those that the user may see.
  ///
  /// - Throws: `MatrixError` 404 when there is none in that direction, or none among the nearest thousand; 403 when the user may not look
  ///   into the room, or has left it.
  public func event(
    room: RoomID, nearest timestamp: Int64, direction: PageDirection, requester: Requester
  ) async throws -> StoredEvent {
    let right = try await access.right(of: requester.userID, in: room, includesPast: false)
    var (seen, size) = (0, 1)
    while seen < Self.greatestSearch {
      let ids = try await stores.events.eventIDs(
        roomID: room, nearestTo: timestamp, direction: direction, limit: size, offset: seen)
      let events = try await stores.events.orderedEvents(ids)
      let visible = try await visibility.visible(events, to: requester.userID, with: right, appliesIgnores: false)
      if let first = visible.first { return first.event }
      guard ids.count == size else { break }
      seen += size
      size = min(size * 10, Self.greatestSearch - seen)
    }
    throw MatrixError.notFound("Unable to find event from \(timestamp) in direction \(direction)")
  }
}
