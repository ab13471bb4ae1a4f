import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Stores

/// An event that was built and authorised but not persisted yet.
struct CreatedEvent: Sendable {
  let event: Event
  let context: EventContext
  let metadata: EventMetadata
  /// The state before the event.
  let before: ResolvedState
}

/// What came of a draft.
enum CreationResult: Sendable {
  /// The event is new.
  case created(CreatedEvent)
  /// The room's state says just this already, by this event.
  case duplicate(EventID)
}
