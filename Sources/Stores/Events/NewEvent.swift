import MatrixEvents
import MatrixPrimitives

/// An event that is being inserted, with its place in the stream.
package struct NewEvent: Sendable {
  /// What was given.
  package let item: PersistableEvent
  /// What is stored.
  package let stored: StoredEvent

  /// Describes an event.
  package init(item: PersistableEvent, stored: StoredEvent) {
    self.item = item
    self.stored = stored
  }

  /// The event itself.
  package var event: Event { item.event }
  /// The event's id as the tables have it.
  package var id: Text { item.event.eventID.rawValue }
  /// Whether the auth rules refused the event.
  package var isRejected: Bool { item.context.rejected != nil }
}

/// An event that stops being an outlier: it keeps its place, and the change has a place of its own.
package struct FormerOutlier: Sendable {
  /// What was given.
  package let item: PersistableEvent
  /// What is stored.
  package let stored: StoredEvent
  /// The place of the change.
  package let changeStream: Int64

  /// Describes a change.
  package init(item: PersistableEvent, stored: StoredEvent, changeStream: Int64) {
    self.item = item
    self.stored = stored
    self.changeStream = changeStream
  }
}
