import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

/// Takes over events that other processes of the cluster have made, in the process that persists them.
public final class EventInbox: Sendable {
  private let persister: EventPersister
  private let rateLimiter: RoomRateLimiter

  init(persister: EventPersister, rateLimiter: RoomRateLimiter) {
    self.persister = persister
    self.rateLimiter = rateLimiter
  }

  /// Persists the events of a `send_events` call; their push actions stand in the staging table already.
  ///
  /// - Returns: the position and id of the last event; another id than sent when it was a repeated transaction.
  /// - Throws: `MatrixError` 400 when another process is to persist the events of this room, 429 when the sender has to wait.
  public func accept(_ request: SendEventsRequest) async throws -> (streamID: Int64, eventID: EventID) {
    guard let first = request.elements.first else { throw MatrixError.badJSON("No events") }
    guard persister.isWriter(for: first.event.roomID) else {
      throw MatrixError.unknown("This process does not persist the events of this room", status: 400)
    }
    for element in request.elements where element.ratelimit {
      try await rateLimiter.check(.message, element.requester)
    }
    let batch = request.elements.map { element in
      var context = element.context
      if context.rejected == nil { context.rejected = element.rejectedReason }
      return PersistableEvent(
        event: element.event, context: context, metadata: element.metadata, isOutlier: element.isOutlier,
        pushActions: nil)
    }
    let stored = try await persister.persist(batch, roomID: first.event.roomID)
    guard let last = stored.last else { throw MatrixError.unknown("Nothing was persisted", status: 500) }
    return (last.streamOrdering, last.eventID)
  }
}
