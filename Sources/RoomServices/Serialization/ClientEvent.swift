import MatrixEvents
import MatrixPrimitives
import Stores

/// Holds an event together with what a client is told about it besides the event itself.
public struct ClientEvent: Sendable {
  /// Holds the event, in its redacted form when it is redacted.
  public let stored: StoredEvent
  /// Holds the reader's membership of the room at the event (MSC4115, `unsigned.membership`); nil to leave it out.
  public var membership: Text?
  /// Holds the state event that this one replaced, for `unsigned.prev_content`; nil to leave it out.
  public var replaced: StoredEvent?
  /// Holds the bundled aggregations (`unsigned.m.relations`); nil when there are none.
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

/// Holds the events that are shown as part of another one.
public struct BundledAggregations: Sendable {
  /// Sums a thread up.
  public struct Thread: Sendable {
    /// Holds the newest event of the thread, with its own latest edit if it has one.
    public let latest: StoredEvent
    /// Holds the newest edit of ``latest``.
    public let latestEdit: StoredEvent?
    /// Holds the number of events in the thread.
    public let count: Int64
    /// Tells whether the reader has written into the thread.
    public let hasParticipated: Bool
  }

  /// Holds the newest edit.
  public var edit: StoredEvent?
  /// Holds the thread of which the event is the root.
  public var thread: Thread?
  /// Holds the events that refer to the event.
  public var references: [EventID] = []
}

/// Says how events are written for one reader.
public struct ClientEventOptions: Sendable {
  /// Holds the form.
  public var format: ClientEventFormat
  /// Holds the reader: transaction ids are shown to the device that sent the event only.
  public var requester: Requester?
  /// Holds the time now, in milliseconds, from which ages are reckoned.
  public var now: Int64

  /// Makes options.
  public init(_ format: ClientEventFormat, requester: Requester?, now: Int64) {
    self.format = format
    self.requester = requester
    self.now = now
  }
}
