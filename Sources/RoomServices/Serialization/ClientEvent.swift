import MatrixEvents
import MatrixPrimitives
import Stores

/// An event together with what a client is told about it besides the event itself.
public struct ClientEvent: Sendable {
  /// The event, in its redacted form when it is redacted.
  public let stored: StoredEvent
  /// The reader's membership of the room at the event (MSC4115, `unsigned.membership`); nil to leave it out.
  public var membership: Text?
  /// The state event that this one replaced, for `unsigned.prev_content`; nil to leave it out.
  public var replaced: StoredEvent?
  /// The bundled aggregations (`unsigned.m.relations`); nil when there are none.
  public var aggregations: BundledAggregations?

  /// Makes a client event.
  public init(
    _ stored: StoredEvent, membership: Text? = nil, replaced: StoredEvent? = nil,
    aggregations: BundledAggregations? = nil
  ) {
    self.stored = stored
    self.membership = membership
    self.replaced = replaced
    self.aggregations = aggregations
  }
}

/// The events that are shown as part of another one.
public struct BundledAggregations: Sendable {
  /// A summary of a thread.
  public struct Thread: Sendable {
    /// The newest event of the thread, with its own latest edit if it has one.
    public let latest: StoredEvent
    /// The newest edit of ``latest``.
    public let latestEdit: StoredEvent?
    /// The number of events in the thread.
    public let count: Int64
    /// Whether the reader has written into the thread.
    public let hasParticipated: Bool
  }

  /// The newest edit.
  public var edit: StoredEvent?
  /// The thread of which the event is the root.
  public var thread: Thread?
  /// The events that refer to the event.
  public var references: [EventID] = []
}

/// The form in which events are written for one reader.
public struct ClientEventOptions: Sendable {
  /// The form.
  public var format: ClientEventFormat
  /// The reader: transaction ids are shown to the device that sent the event only.
  public var requester: Requester?
  /// The time now, in milliseconds, from which ages are reckoned.
  public var now: Int64

  /// Makes options.
  public init(_ format: ClientEventFormat, requester: Requester?, now: Int64) {
    self.format = format
    self.requester = requester
    self.now = now
  }
}
