import MatrixEvents
import MatrixPrimitives
import Postgres
import StorageEngine

/// Events, from a cache bounded by bytes, else from `events` and `event_json` in one round trip for all that miss.
///
/// Readers get redacted forms; events that the auth rules refused are left out unless asked for. The cache follows the
/// rows of the `events`, `backfill` and `caches` streams, so it is right on every process.
public final class EventStore: Sendable {
  let database: PostgresClient
  /// Id generator of the stream `events`.
  public let ids: StreamIDGenerator
  /// Id generator of the stream `backfill`.
  public let backfillIDs: StreamIDGenerator
  let rows: EventRows
  let cache: Cache<EventID, StoredEvent>
  /// The texts by which lists of rooms are filtered.
  let listed: Cache<EventID, RoomListText>
  /// The rooms that changed lately, to answer "anything new?" without the database.
  let roomChanges: StreamChangeCache
  /// The rooms in which the current state changed lately.
  let stateChanges: StreamChangeCache
  /// The events that came last into each room.
  let recent = RecentRows<EventID>(floor: .max)

  init(_ context: StoreContext) {
    database = context.database
    ids = context.ids[.events]
    backfillIDs = context.ids[.backfill]
    rows = EventRows(logger: context.logger)
    let caches = context.caches
    cache = caches.cache(CacheRegistry.eventCacheName, byteBudget: CacheRegistry.standardEventBytes) { $1.weight }
    listed = caches.cache("room_list_texts", byteBudget: 8 << 20) { 128 + $1.weight }
    roomChanges = caches.changeCache("EventsRoomStreamChangeCache")
    stateChanges = caches.changeCache("_curr_state_delta_stream_cache")
    follow(context)
  }

  /// Reads one event; nil when it is not stored, or was rejected and `allowRejected` is false.
  public func event(_ id: EventID, allowRejected: Bool = false) async throws -> StoredEvent? {
    if let cached = cache.peek(id) { return allowRejected || !cached.isRejected ? cached : nil }
    return try await events([id], allowRejected: allowRejected)[id]
  }

  /// Reads events; those that are not stored (or rejected, unless allowed) are absent from the answer.
  ///
  /// Cost: nothing for cached events, two pipelined statements for all others together.
  public func events(_ ids: [EventID], allowRejected: Bool = false) async throws -> [EventID: StoredEvent] {
    guard !ids.isEmpty else { return [:] }
    let found = try await cache.values(ids) { [self] missing in try await load(missing) }
    guard !allowRejected, found.contains(where: { $0.value.isRejected }) else { return found }
    return found.filter { !$0.value.isRejected }
  }

  /// Reads events and returns them in the order of `ids`, leaving out those that ``events(_:allowRejected:)`` lacks.
  public func orderedEvents(_ ids: [EventID], allowRejected: Bool = false) async throws -> [StoredEvent] {
    if let found = cache.peek(all: ids) { return allowRejected ? found : found.filter { !$0.isRejected } }
    let found = try await events(ids, allowRejected: allowRejected)
    return ids.compactMap { found[$0] }
  }

  /// Reads an event in its original form although it has been redacted (administrators and room moderators only), unless
  /// the original has been erased already.
  public func unredactedEvent(_ id: EventID) async throws -> StoredEvent? {
    try await database.run(EventRows.events([id.rawValue])).first.flatMap { try rows.stored($0) }
  }

  /// Reads events as the database has them now, past the memory; rejected ones, too.
  public func storedEvents(_ ids: [EventID]) async throws -> [EventID: StoredEvent] {
    ids.isEmpty ? [:] : try await load(ids)
  }

  func load(_ ids: [EventID]) async throws -> [EventID: StoredEvent] {
    let texts = ids.map(\.rawValue)
    async let found = database.run(EventRows.events(texts))
    async let redactions = database.run(EventRows.redactions(of: texts))
    return try rows.assemble(try await found, redactions: try await redactions)
  }

  /// Returns which of the events are stored, as timeline events or outliers, accepted or not.
  public func havePersisted(_ ids: [EventID]) async throws -> Set<EventID> {
    guard !ids.isEmpty else { return [] }
    var known = Set(ids.filter { cache.peek($0) != nil })
    let missing = ids.filter { !known.contains($0) }.map(\.rawValue)
    guard !missing.isEmpty else { return known }
    let found = try await database.run("SELECT event_id FROM events WHERE event_id = ANY(\(missing)::text[])")
    for row in found { known.insert(EventID(unchecked: try row.get(0))) }
    return known
  }

  /// Puts events that were just committed into the cache and drops what they make stale.
  ///
  /// - Parameter redacted: events that one of them redacts.
  public func prefill(_ events: [StoredEvent], redacted: [EventID]) {
    for event in events where redacted.contains(event.eventID) == false { cache.insert(event.eventID, event) }
    for id in redacted { invalidate(id) }
  }

  /// Drops an event from the cache.
  public func invalidate(_ id: EventID) {
    cache.invalidate(id)
    listed.invalidate(id)
  }

  /// Drops all events from the cache, as after a purge.
  public func invalidateAll() {
    cache.invalidateAll()
    listed.invalidateAll()
  }
}
