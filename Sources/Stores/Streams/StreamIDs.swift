import ByteText
import MatrixPrimitives
import Postgres
import StorageEngine

/// Holds the id generator of every stream that is kept in the database; sequences, tables and names as Synapse has them.
public final class StreamIDs: Sendable {
  /// Numbers new events and changes of current state.
  public let events: StreamIDGenerator
  /// Numbers history fetched later; ids are negative.
  public let backfill: StreamIDGenerator
  /// Numbers presence updates.
  public let presence: StreamIDGenerator
  /// Numbers receipts.
  public let receipts: StreamIDGenerator
  /// Numbers account data and tags.
  public let accountData: StreamIDGenerator
  /// Numbers changes of push rules.
  public let pushRules: StreamIDGenerator
  /// Numbers changes of pushers.
  public let pushers: StreamIDGenerator
  /// Numbers to-device messages.
  public let toDevice: StreamIDGenerator
  /// Numbers changes of devices and of cross-signing signatures.
  public let deviceLists: StreamIDGenerator
  /// Numbers cache invalidations; every process writes them.
  public let caches: StreamIDGenerator
  /// Numbers thread subscriptions.
  public let threadSubscriptions: StreamIDGenerator
  /// Numbers sticky events.
  public let stickyEvents: StreamIDGenerator
  /// Numbers rooms whose state has become complete.
  public let unPartialStatedRooms: StreamIDGenerator
  /// Numbers events whose state has become complete.
  public let unPartialStatedEvents: StreamIDGenerator
  /// Numbers media put into or out of quarantine.
  public let quarantinedMedia: StreamIDGenerator
  /// Numbers profile updates.
  public let profileUpdates: StreamIDGenerator
  /// Numbers cross-signing keys; not a replication stream.
  public let crossSigningKeys: StreamIDGenerator

  /// Makes the generators; ``load()`` reads their positions.
  ///
  /// - Parameters:
  ///   - instanceName: the name of this process.
  ///   - writers: gives the configured writers of a stream.
  public init(database: PostgresClient, instanceName: Text, writers: (StreamName) -> [Text]) {
    typealias Table = (table: Text, idColumn: Text, instanceColumn: Text?)
    func make(
      _ stored: Text?, _ sequence: Text, _ writers: [Text], _ tables: [Table], backward: Bool = false
    ) -> StreamIDGenerator {
      StreamIDGenerator(
        database: database, streamName: stored, instanceName: instanceName, writers: writers, sequence: sequence,
        tables: tables, isBackward: backward)
    }
    func streamTables(_ names: Text...) -> [Table] { names.map { ($0, "stream_id", "instance_name") } }
    let eventWriters = writers(.events)
    let outliers: Table = ("ex_outlier_stream", "event_stream_ordering", "instance_name")
    let events: Table = ("events", "stream_ordering", "instance_name")
    self.events = make(
      "events", "events_stream_seq", eventWriters,
      [events, ("current_state_delta_stream", "stream_id", "instance_name"), outliers])
    backfill = make(
      "backfill", "events_backfill_stream_seq", eventWriters, [events, outliers], backward: true)
    presence = make(
      "presence_stream", "presence_stream_sequence", writers(.presence), streamTables("presence_stream"))
    receipts = make("receipts", "receipts_sequence", writers(.receipts), streamTables("receipts_linearized"))
    accountData = make(
      "account_data", "account_data_sequence", writers(.accountData),
      streamTables("room_account_data", "room_tags_revisions", "account_data"))
    pushRules = make(
      "push_rules_stream", "push_rules_stream_sequence", writers(.pushRules), streamTables("push_rules_stream"))
    pushers = make(
      "pushers", "pushers_sequence", writers(.pushers),
      [("pushers", "id", "instance_name"), ("deleted_pushers", "stream_id", "instance_name")])
    toDevice = make(
      "to_device", "device_inbox_sequence", writers(.toDevice),
      streamTables("device_inbox", "device_federation_outbox"))
    deviceLists = make(
      "device_lists_stream", "device_lists_sequence", writers(.deviceLists),
      streamTables(
        "device_lists_stream", "user_signature_stream", "device_lists_outbound_pokes",
        "device_lists_changes_in_room", "device_lists_remote_pending",
        "device_lists_changes_converted_stream_position"))
    caches = make(
      nil, "cache_invalidation_stream_seq", [], streamTables("cache_invalidation_stream_by_instance"))
    threadSubscriptions = make(
      "thread_subscriptions", "thread_subscriptions_sequence", writers(.threadSubscriptions),
      streamTables("thread_subscriptions"))
    stickyEvents = make("sticky_events", "sticky_events_sequence", eventWriters, streamTables("sticky_events"))
    unPartialStatedRooms = make(
      "un_partial_stated_room_stream", "un_partial_stated_room_stream_sequence", writers(.unPartialStatedRoom),
      streamTables("un_partial_stated_room_stream"))
    unPartialStatedEvents = make(
      "un_partial_stated_event_stream", "un_partial_stated_event_stream_sequence", writers(.unPartialStatedEvent),
      streamTables("un_partial_stated_event_stream"))
    quarantinedMedia = make(
      "quarantined_media", "quarantined_media_id_seq", writers(.quarantinedMedia),
      streamTables("quarantined_media_changes"))
    profileUpdates = make(
      "profile_updates", "profile_updates_sequence", eventWriters, streamTables("profile_updates"))
    crossSigningKeys = make(
      nil, "e2e_cross_signing_keys_sequence", [], streamTables("e2e_cross_signing_keys"))
  }

  /// Returns the generator of a replication stream; nil for streams that live in memory.
  public subscript(_ stream: StreamName) -> StreamIDGenerator? {
    switch stream {
    case .events: events
    case .backfill: backfill
    case .presence: presence
    case .receipts: receipts
    case .accountData: accountData
    case .pushRules: pushRules
    case .pushers: pushers
    case .toDevice: toDevice
    case .deviceLists: deviceLists
    case .caches: caches
    case .threadSubscriptions: threadSubscriptions
    case .stickyEvents: stickyEvents
    case .unPartialStatedRoom: unPartialStatedRooms
    case .unPartialStatedEvent: unPartialStatedEvents
    case .quarantinedMedia: quarantinedMedia
    case .profileUpdates: profileUpdates
    default: nil
    }
  }

  /// Lists all generators.
  var all: [StreamIDGenerator] {
    [
      events, backfill, presence, receipts, accountData, pushRules, pushers, toDevice, deviceLists, caches,
      threadSubscriptions, stickyEvents, unPartialStatedRooms, unPartialStatedEvents, quarantinedMedia, profileUpdates,
      crossSigningKeys,
    ]
  }

  /// Reads the positions of all streams; once, at start.
  public func load() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for generator in all { group.addTask { try await generator.load() } }
      try await group.waitForAll()
    }
  }
}
