import ByteText

/// A replication stream's name as it is spelled on the wire (the second word of RDATA and POSITION).
public struct StreamName: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The wire name.
  public let rawValue: Text

  /// Wraps a wire name; any text is accepted, see `isKnown`.
  /// - Parameter rawValue: name on the wire.
  public init(rawValue: Text) { self.rawValue = rawValue }

  /// The wire name.
  public var description: String { rawValue.string }

  /// New events and changes of current state. Writers: `stream_writers.events`.
  public static let events = StreamName(rawValue: "events")
  /// Backfilled events; tokens are positive on the wire and negative in the tables. Writers: events writers.
  public static let backfill = StreamName(rawValue: "backfill")
  /// Presence states. Writer: `stream_writers.presence`.
  public static let presence = StreamName(rawValue: "presence")
  /// Presence to be sent to other servers; lives in memory of the presence writer.
  public static let presenceFederation = StreamName(rawValue: "presence_federation")
  /// The users who type in each room; lives in memory of the typing writer.
  public static let typing = StreamName(rawValue: "typing")
  /// Read receipts. Writers: `stream_writers.receipts`.
  public static let receipts = StreamName(rawValue: "receipts")
  /// Users whose push rules changed. Writer: `stream_writers.push_rules`.
  public static let pushRules = StreamName(rawValue: "push_rules")
  /// Added and deleted pushers. Writer: the main process.
  public static let pushers = StreamName(rawValue: "pushers")
  /// Cache invalidations. Every process writes it.
  public static let caches = StreamName(rawValue: "caches")
  /// Changed device lists and cross-signing signatures. Writers: `stream_writers.device_lists`.
  public static let deviceLists = StreamName(rawValue: "device_lists")
  /// Users and servers with new to-device messages. Writers: `stream_writers.to_device`.
  public static let toDevice = StreamName(rawValue: "to_device")
  /// Changed account data and tags. Writers: `stream_writers.account_data`.
  public static let accountData = StreamName(rawValue: "account_data")
  /// EDUs for federation senders; lives in memory of the main process.
  public static let federation = StreamName(rawValue: "federation")
  /// Changed thread subscriptions. Writers: `stream_writers.thread_subscriptions`.
  public static let threadSubscriptions = StreamName(rawValue: "thread_subscriptions")
  /// Sticky events. Writers: events writers.
  public static let stickyEvents = StreamName(rawValue: "sticky_events")
  /// Rooms whose state became complete after a faster join. Writer: the main process.
  public static let unPartialStatedRoom = StreamName(rawValue: "un_partial_stated_room")
  /// Events whose state became complete after a faster join. Writer: the main process.
  public static let unPartialStatedEvent = StreamName(rawValue: "un_partial_stated_event")
  /// Changes of the quarantine of media. Writers: `stream_writers.quarantined_media_changes`.
  public static let quarantinedMedia = StreamName(rawValue: "quarantined_media")
  /// Changed profiles (MSC4262, MSC4429). Writers: events writers.
  public static let profileUpdates = StreamName(rawValue: "profile_updates")

  /// Every stream that Synapse 1.163.2 knows. Never put another name on a shared channel: its readers fail on it.
  public static let all: [StreamName] = [
    .events, .backfill, .presence, .presenceFederation, .typing, .receipts, .pushRules, .pushers, .caches, .deviceLists,
    .toDevice, .federation, .accountData, .profileUpdates, .stickyEvents, .threadSubscriptions, .unPartialStatedRoom,
    .unPartialStatedEvent, .quarantinedMedia,
  ]

  private static let known = Set(all)

  /// Whether Synapse 1.163.2 knows this stream.
  public var isKnown: Bool { Self.known.contains(self) }

  /// Whether the stream's tokens are a counter in its writer's memory, which restarts at 0 with that process.
  public var hasVolatileTokens: Bool { self == .typing || self == .presenceFederation || self == .federation }

  /// Whether missed rows are asked from the writer over HTTP instead of being read from the database.
  public var catchesUpOverHTTP: Bool { hasVolatileTokens || self == .presence }
}
