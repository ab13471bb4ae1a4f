import MatrixEvents
import MatrixPrimitives

/// An event that is to be written, with all that goes along with it.
public struct PersistableEvent: Sendable {
  /// The event.
  public let event: Event
  /// The event's relation to the room's state, and whether it was refused.
  public var context: EventContext
  /// What the server remembers about the event.
  public var metadata: EventMetadata
  /// Whether the event is kept outside the room's timeline.
  public var isOutlier: Bool
  /// What push rules want done; nil when they are in `event_push_actions_staging`.
  public var pushActions: [PushAction]?

  /// Describes an event to be written.
  public init(
    event: Event, context: EventContext, metadata: EventMetadata = EventMetadata(), isOutlier: Bool = false,
    pushActions: [PushAction]? = nil
  ) {
    self.event = event
    self.context = context
    self.metadata = metadata
    self.isOutlier = isOutlier
    self.pushActions = pushActions
  }

  /// Whether the event takes part in the room's graph: neither outlier nor refused nor soft-failed.
  package var isAccepted: Bool { !isOutlier && context.rejected == nil && !metadata.softFailed }
}
