import MatrixEvents
import MatrixPrimitives
import Stores

extension HistoryService {
  /// A choice of an event's relations.
  public struct RelationQuery: Sendable {
    /// The event to which the others relate.
    public var eventID: EventID
    /// The relation type; nil for all.
    public var relationType: Text?
    /// The type of the related events; nil for all.
    public var eventType: Text?
    /// Whether relations of relations count as well.
    public var isRecursive: Bool
    /// The direction.
    public var direction: PageDirection
    /// The greatest number of events.
    public var limit: Int

    /// Makes a query.
    public init(
      eventID: EventID, relationType: Text? = nil, eventType: Text? = nil, isRecursive: Bool = false,
      direction: PageDirection = .backward, limit: Int = 5
    ) {
      self.eventID = eventID
      self.relationType = relationType
      self.eventType = eventType
      self.isRecursive = isRecursive
      self.direction = direction
      self.limit = limit
    }
  }

  /// A page of related events.
  public struct RelationPage: Sendable {
    /// The rooms of the page, in its order.
    public let chunk: [ClientEvent]
    /// The place to go on from; nil when there are no more.
    public let next: StreamToken?
    /// The event to which the others relate, without what is bundled with it.
    public let original: ClientEvent
  }

  /// The greatest number of steps of a recursive query.
  public static let relationDepth = 3

  /// Reads the events that relate to an event.
  ///
  /// - Throws: `MatrixError` 403 when the user may not look into the room, 404 when the event is not known or not for them.
  public func relations(
    _ query: RelationQuery, room: RoomID, from start: StreamToken?, to end: StreamToken?, requester: Requester
  ) async throws -> RelationPage {
    let right = try await access.right(of: requester.userID, in: room)
    var original = try await event(query.eventID, room: room, requester: requester)
    original.aggregations = nil
    let limit = min(max(query.limit, 1), Self.greatestLimit)
    var found = try await stores.relations.relations(
      of: query.eventID, room: room, type: query.relationType, eventType: query.eventType, from: start?.room,
      to: end?.room, direction: query.direction, limit: limit, isRecursive: query.isRecursive)
    let hasMore = found.count > limit
    if hasMore { found.removeLast() }
    let events = try await stores.events.orderedEvents(found.map(\.eventID))
    let visible = try await visibility.visible(events, to: requester.userID, with: right)
    var next: StreamToken?
    if hasMore, let last = found.last {
      let stream = query.direction == .backward ? last.stream - 1 : last.stream
      next = (start ?? StreamToken()).replacingRoom(
        RoomStreamToken(topological: last.topological, stream: stream))
    }
    return RelationPage(chunk: try await clientEvents(visible, requester), next: next, original: original)
  }
}
