import MatrixPrimitives
import RoomServices
import Stores

/// The list of what a user was notified of.
public final class NotificationService: Sendable {
  /// One notification.
  public struct Item: Sendable {
    /// What the push rules wanted, and whether it is read.
    public let notification: PushActionStore.Notification
    /// The event.
    public let event: ClientEvent
  }

  /// The greatest number of notifications in one answer, as on Synapse.
  private static let greatestLimit = 500

  private let pushActions: PushActionStore
  private let events: EventStore
  private let serializer: ClientEventSerializer

  init(pushActions: PushActionStore, events: EventStore, serializer: ClientEventSerializer) {
    self.pushActions = pushActions
    self.events = events
    self.serializer = serializer
  }

  /// Reads a page of a user's notifications, newest first.
  ///
  /// - Parameters:
  ///   - before: the place that the previous page ended with; nil for the newest.
  ///   - limit: the greatest number, capped at 500.
  ///   - onlyHighlights: whether only highlights are wanted.
  public func notifications(
    of user: UserID, before: Int64?, limit: Int, onlyHighlights: Bool
  ) async throws -> [Item] {
    let found = try await pushActions.notifications(
      of: user, before: before, limit: min(limit, Self.greatestLimit), onlyHighlights: onlyHighlights)
    let stored = try await events.orderedEvents(found.map(\.eventID))
    let prepared = try await serializer.prepare(stored, for: user, bundles: false)
    let byID = Dictionary(prepared.map { ($0.stored.eventID, $0) }) { first, _ in first }
    return found.compactMap { entry in byID[entry.eventID].map { Item(notification: entry, event: $0) } }
  }
}
