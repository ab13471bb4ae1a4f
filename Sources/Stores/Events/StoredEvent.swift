import MatrixEvents
import MatrixPrimitives
import Synchronization

/// An event as the database has it: its content, its place in the stream and what the server remembers about it.
///
/// When a valid redaction exists, ``event`` is already the redacted form and ``redactedBecause`` the redaction.
public final class StoredEvent: Sendable {
  /// The event; the redacted form when it has been redacted.
  public let event: Event
  /// The place in the events stream: positive for live events, negative for history fetched later.
  public let streamOrdering: Int64
  /// The writer that stored it.
  public let instanceName: Text
  /// Whether the event is kept outside the room's timeline, without state of its own.
  public let isOutlier: Bool
  /// The reason why the auth rules refused the event; nil when it was accepted.
  public let rejectedReason: Text?
  /// The time of storing in milliseconds since 1970; nil when it is not known.
  public let receivedTS: Int64?
  /// What the server remembers about the event.
  public let metadata: EventMetadata
  /// The redaction that is in force, if any.
  public let redactedBecause: StoredEvent?
  private let isAlone = Atomic(false)

  /// Makes a stored event.
  public init(
    event: Event, streamOrdering: Int64, instanceName: Text, isOutlier: Bool = false, rejectedReason: Text? = nil,
    receivedTS: Int64? = nil, metadata: EventMetadata = EventMetadata(), redactedBecause: StoredEvent? = nil
  ) {
    self.event = event
    self.streamOrdering = streamOrdering
    self.instanceName = instanceName
    self.isOutlier = isOutlier
    self.rejectedReason = rejectedReason
    self.receivedTS = receivedTS
    self.metadata = metadata
    self.redactedBecause = redactedBecause
  }

  /// The event's id.
  public var eventID: EventID { event.eventID }
  /// The event's room.
  public var roomID: RoomID { event.roomID }
  /// The event's type.
  public var type: Text { event.type }
  /// The event's state key; nil when it is not state.
  public var stateKey: Text? { event.stateKey }
  /// The event's sender.
  public var sender: UserID { event.sender }
  /// The event's content.
  public var content: JSONValue { event.content }
  /// The event's depth, by which history is ordered.
  public var depth: Int64 { event.depth }
  /// Whether the auth rules refused the event.
  public var isRejected: Bool { rejectedReason != nil }
  /// Whether the event is kept, but not shown and not built upon.
  public var isSoftFailed: Bool { metadata.softFailed }
  /// The state event that this one replaced, where that is known.
  public var replacedEventID: EventID? { event.unsigned?["replaces_state"]?.string.flatMap { EventID($0) } }
  /// The point just after this event in the room's history.
  public var historyToken: RoomStreamToken { RoomStreamToken(topological: depth, stream: streamOrdering) }

  /// Whether nothing is known to relate to the event, so that no aggregations need be looked for; see
  /// ``RelationStore/arrivals``.
  public var isKnownUnrelated: Bool { isAlone.load(ordering: .acquiring) }

  /// Remembers whether nothing relates to the event.
  public func noteUnrelated(_ isUnrelated: Bool) { isAlone.store(isUnrelated, ordering: .releasing) }

  /// Returns this event in its redacted form, as `redaction` demands.
  ///
  /// - Throws: what ``Event/redacted()`` throws.
  func redacted(by redaction: StoredEvent) throws -> StoredEvent {
    StoredEvent(
      event: try event.redacted(), streamOrdering: streamOrdering, instanceName: instanceName, isOutlier: isOutlier,
      rejectedReason: rejectedReason, receivedTS: receivedTS, metadata: metadata, redactedBecause: redaction)
  }

  /// Returns this event without what a redaction would take away and without its aggregations, for readers who are not to see them.
  ///
  /// - Throws: what ``Event/redacted()`` throws.
  public func stripped() throws -> StoredEvent {
    let stripped = StoredEvent(
      event: try event.redacted(), streamOrdering: streamOrdering, instanceName: instanceName, isOutlier: isOutlier,
      rejectedReason: rejectedReason, receivedTS: receivedTS, metadata: metadata, redactedBecause: redactedBecause)
    stripped.noteUnrelated(true)
    return stripped
  }

  /// The estimated memory, in bytes, for cache budgets; the form for clients is made sooner or later.
  var weight: Int { event.json.raw.count * 2 + 1100 + (redactedBecause?.weight ?? 0) }
}
