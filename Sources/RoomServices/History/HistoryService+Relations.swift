import MatrixEvents
import MatrixPrimitives
import Stores

extension HistoryService {
  /// Says which of an event's relations are wanted.
  public struct RelationQuery: Sendable {
    /// Holds the event to which the others relate.
    public var eventID: EventID
    /// Holds the relation type; nil for all.
    public var relationType: Text?
    /// Holds the type of the related events; nil for all.
    public var eventType: Text?
    /// Tells whether relations of relations count as well.
    public var isRecursive: Bool
    /// Holds the way to go.
    public var direction: PageDirection
    /// Holds the greatest number of events.
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

  /// Holds a page of related events.
  public struct RelationPage: Sendable {
    /// Holds the events or rooms of the page, in its order.
    public let chunk: [ClientEvent]
    /// Marks where to go on; nil when there are no more.
    public let next: StreamToken?
  }

  /// Caps the steps that a recursive query takes.
  public static let relationDepth = 3

  /// Reads the events that relate to an event.
  ///
  /// - Throws: `MatrixError` 403 when the user may not look into the room, 404 when the event is not known or not for them.
  public func relations(
    _ query: RelationQuery, room: RoomID, from start: StreamToken?, to end: StreamToken?, requester: Requester
  ) async throws -> RelationPage {
    let right = try await access.right(of: requester.userID, in: room)
    _ = try await event(query.eventID, room: room, requester: requester)
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
    return RelationPage(chunk: try await clientEvents(visible, requester), next: next)
  }
}
