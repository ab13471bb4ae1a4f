import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import StorageEngine

/// Reads events: from a cache bounded by bytes, else from `events` and `event_json` in one round trip for all that miss.
///
/// Readers get redacted forms; events that the auth rules refused are left out unless asked for. The cache follows the
/// rows of the `events`, `backfill` and `caches` streams, so it is right on every process.
public final class EventStore: Sendable {
  let database: PostgresClient
  let ids: StreamIDs
  let rows: EventRows
  let cache: Cache<EventID, StoredEvent>
  /// Remembers which rooms changed lately, to answer "anything new?" without the database.
  let roomChanges: StreamChangeCache
  /// Remembers in which rooms the current state changed lately.
  let stateChanges: StreamChangeCache
  /// Remembers which events came last into each room.
  let recent = RecentRows<EventID>(floor: .max)

  init(database: PostgresClient, ids: StreamIDs, caches: CacheRegistry, logger: Logger) {
    self.database = database
    self.ids = ids
    rows = EventRows(logger: logger)
    cache = caches.cache(CacheRegistry.eventCacheName, byteBudget: CacheRegistry.standardEventBytes) { $1.weight }
    roomChanges = caches.changeCache("EventsRoomStreamChangeCache")
    stateChanges = caches.changeCache("_curr_state_delta_stream_cache")
  }

  /// Begins to remember changes, from the position that was loaded.
  func startChangeCaches() {
    roomChanges.start(at: ids.events.currentToken)
    stateChanges.start(at: ids.events.currentToken)
    recent.reset(floor: ids.events.currentToken)
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
    try await database.read(EventRows.events([id.rawValue])).first.flatMap { try rows.stored($0) }
  }

  /// Reads events as the database has them now, past the memory; rejected ones, too.
  public func storedEvents(_ ids: [EventID]) async throws -> [EventID: StoredEvent] {
    ids.isEmpty ? [:] : try await load(ids)
  }

  private func load(_ ids: [EventID]) async throws -> [EventID: StoredEvent] {
    let texts = ids.map(\.rawValue)
    async let found = database.read(EventRows.events(texts))
    async let redactions = database.read(EventRows.redactions(of: texts))
    return try rows.assemble(try await found, redactions: try await redactions)
  }

  /// Tells which of the events are stored, as timeline events or outliers, accepted or not.
  public func havePersisted(_ ids: [EventID]) async throws -> Set<EventID> {
    guard !ids.isEmpty else { return [] }
    var known = Set(ids.filter { cache.peek($0) != nil })
    let missing = ids.filter { !known.contains($0) }.map(\.rawValue)
    guard !missing.isEmpty else { return known }
    let found = try await database.read("SELECT event_id FROM events WHERE event_id = ANY(\(missing)::text[])")
    for row in found { known.insert(EventID(unchecked: try row.get(0))) }
    return known
  }

  /// Names a transaction of a device.
  public struct DeviceTransaction: Hashable, Sendable {
    /// Names the user.
    public let userID: UserID
    /// Names the user's device.
    public let deviceID: String
    /// Holds the id that the device chose.
    public let txnID: String

    /// Names a transaction.
    public init(userID: UserID, deviceID: String, txnID: String) {
      self.userID = userID
      self.deviceID = deviceID
      self.txnID = txnID
    }
  }

  /// Finds the events that were sent into a room in the given transactions, in one statement; new ones are absent.
  public func eventIDs(
    roomID: RoomID, transactions: [DeviceTransaction]
  ) async throws -> [DeviceTransaction: EventID] {
    guard !transactions.isEmpty else { return [:] }
    // In subqueries the arrays' lengths do not count for the plan, which is made once then; LIMIT keeps the index in use.
    let found = try await database.read(
      """
      SELECT q.user_id, q.device_id, q.txn_id, t.event_id
      FROM unnest((SELECT \(transactions.map(\.userID.rawValue))::text[]),
        (SELECT \(transactions.map(\.deviceID))::text[]), (SELECT \(transactions.map(\.txnID))::text[]))
        AS q(user_id, device_id, txn_id)
      CROSS JOIN LATERAL (
        SELECT event_id FROM event_txn_id_device_id
        WHERE user_id = q.user_id AND device_id = q.device_id AND room_id = \(roomID.rawValue) AND txn_id = q.txn_id
        LIMIT 1) AS t
      """)
    var result: [DeviceTransaction: EventID] = [:]
    for row in found {
      let (user, device, txnID, eventID) = try row.decode(String.self, String.self, String.self, String.self)
      let transaction = DeviceTransaction(userID: UserID(unchecked: user), deviceID: device, txnID: txnID)
      result[transaction] = EventID(unchecked: eventID)
    }
    return result
  }

  /// Finds the event that a device sent with a transaction id; nil when the transaction is new.
  public func eventID(roomID: RoomID, userID: UserID, deviceID: String, txnID: String) async throws -> EventID? {
    try await eventIDs(roomID: roomID, userID: userID, deviceID: deviceID, txnIDs: [txnID])[txnID]
  }

  /// Finds the events that a device sent with the given transaction ids.
  public func eventIDs(
    roomID: RoomID, userID: UserID, deviceID: String, txnIDs: [String]
  ) async throws -> [String: EventID] {
    let found = try await database.read(
      """
      SELECT txn_id, event_id FROM event_txn_id_device_id
      WHERE room_id = \(roomID.rawValue) AND user_id = \(userID.rawValue) AND device_id = \(deviceID)
        AND txn_id = ANY(\(txnIDs)::text[])
      """)
    var result: [String: EventID] = [:]
    for row in found {
      let (txnID, eventID) = try row.decode(String.self, String.self)
      result[txnID] = EventID(unchecked: eventID)
    }
    return result
  }

  /// Finds the transaction ids with which a device sent the given events.
  public func transactionIDs(
    eventIDs: [EventID], userID: UserID, deviceID: String
  ) async throws -> [EventID: String] {
    guard !eventIDs.isEmpty else { return [:] }
    let found = try await database.read(
      """
      SELECT event_id, txn_id FROM event_txn_id_device_id
      WHERE event_id = ANY(\(eventIDs.map(\.rawValue))::text[])
        AND user_id = \(userID.rawValue) AND device_id = \(deviceID)
      """)
    var result: [EventID: String] = [:]
    for row in found {
      let (eventID, txnID) = try row.decode(String.self, String.self)
      result[EventID(unchecked: eventID)] = txnID
    }
    return result
  }

  /// Puts events that were just committed into the cache and drops what they make stale.
  ///
  /// - Parameter redacted: events that one of them redacts.
  public func prefill(_ events: [StoredEvent], redacted: [EventID]) {
    for event in events where redacted.contains(event.eventID) == false { cache.insert(event.eventID, event) }
    for id in redacted { cache.invalidate(id) }
  }

  /// Drops an event from the cache.
  public func invalidate(_ id: EventID) { cache.invalidate(id) }

  /// Drops all events from the cache, as after a purge.
  public func invalidateAll() { cache.invalidateAll() }
}
