import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// Something that other processes may remember and that a write makes stale.
public struct CacheInvalidation: Sendable, Hashable {
  /// The cached function's name as Synapse spells it.
  public let cacheFunction: Text
  /// The function's arguments; nil clears the whole cache.
  public let keys: [Text]?

  /// Creates the invalidation of a cached result.
  public init(_ cacheFunction: Text, _ keys: [Text]?) {
    self.cacheFunction = cacheFunction
    self.keys = keys
  }
}

/// The announcement to every process of what a transaction makes stale: it writes
/// `cache_invalidation_stream_by_instance` in the same transaction, and publishes the rows on stream `caches` after the
/// commit.
public final class CacheInvalidator: Sendable {
  /// Id generator of the stream `caches`.
  public let ids: StreamIDGenerator

  private let database: PostgresClient
  private let registry: CacheRegistry
  private let hub: StreamHub
  private let clock: ServerClock

  init(database: PostgresClient, ids: StreamIDGenerator, registry: CacheRegistry, hub: StreamHub, clock: ServerClock) {
    self.database = database
    self.ids = ids
    self.registry = registry
    self.hub = hub
    self.clock = clock
  }

  /// Runs a transaction that makes the given things stale. The ids are taken beforehand, one round trip.
  ///
  /// - Returns: what `body` returns.
  public func withInvalidations<R: Sendable>(
    _ name: StaticString, isolation: IsolationLevel = .repeatableRead, _ items: [CacheInvalidation],
    _ body: @escaping @Sendable (Transaction) throws -> R
  ) async throws -> R {
    let reservation = try await ids.allocate(items.count)
    defer { finish(reservation) }
    return try await database.transaction(name, isolation: isolation) { txn in
      let result = try body(txn)
      self.write(items, ids: reservation.ids, in: txn)
      txn.afterCommit(orUnknown: true) { self.publish(items, ids: reservation.ids) }
      return result
    }
  }

  /// Makes things stale in a transaction of its own.
  public func invalidate(_ items: [CacheInvalidation]) async throws {
    guard !items.isEmpty else { return }
    try await withInvalidations("invalidate_caches", isolation: .readCommitted, items) { _ in }
  }

  /// Makes things stale that are known only while the transaction's body runs; costs a round trip.
  public func enqueue(_ items: [CacheInvalidation], in txn: Transaction) throws {
    guard !items.isEmpty else { return }
    let reservation = try ids.allocate(items.count, in: txn)
    write(items, ids: reservation.ids, in: txn)
    // When the transaction fails, the closure and with it the reservation go away, which gives the ids back.
    txn.afterCommit(orUnknown: true) {
      self.publish(items, ids: reservation.ids)
      self.finish(reservation)
    }
  }

  /// Writes rows under ids that the caller has taken and gives back.
  public func write(_ items: [CacheInvalidation], ids: [Int64], in txn: Transaction) {
    for (item, id) in zip(items, ids) {
      txn.enqueue(
        """
        INSERT INTO cache_invalidation_stream_by_instance (stream_id, instance_name, cache_func, keys, invalidation_ts)
        VALUES (\(id)::bigint, \(hub.instanceName), \(item.cacheFunction), \(item.keys)::text[],
          \(clock.nowMilliseconds)::bigint)
        """)
    }
  }

  /// Publishes rows that were committed, and applies them here at once.
  public func publish(_ items: [CacheInvalidation], ids: [Int64]) {
    for (item, id) in zip(items, ids) {
      registry.apply(cacheFunc: item.cacheFunction, keys: item.keys)
      hub.publishCacheInvalidation(token: id, cacheFunction: item.cacheFunction, keys: item.keys)
    }
  }

  private func finish(_ reservation: StreamIDReservation) {
    reservation.finish()
    hub.wake(.caches)
  }
}
