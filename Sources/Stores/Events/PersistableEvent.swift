import MatrixEvents
import MatrixPrimitives

/// Holds an event that is to be written, with all that goes along with it.
public struct PersistableEvent: Sendable {
  /// Holds the event.
  public let event: Event
  /// Ties the event to the room's state; says also whether it was refused.
  public var context: EventContext
  /// Holds what the server shall remember about the event.
  public var metadata: EventMetadata
  /// Tells whether the event is kept outside the room's timeline.
  public var isOutlier: Bool
  /// Holds what push rules want done; nil when they stand in `event_push_actions_staging`.
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

  /// Tells whether the event takes part in the room's graph: neither outlier nor refused nor soft-failed.
  package var isAccepted: Bool { !isOutlier && context.rejected == nil && !metadata.softFailed }
}
