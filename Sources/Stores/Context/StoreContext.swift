import Logging
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import StorageEngine
import Synchronization

/// What every store is made from; one exists per process.
///
/// A process makes the context, then the groups of stores that it needs (``RoomStores``, ``AccountStores``, ``UserStores``, ``PushStores``),
/// then calls ``load()``, and only then lets the hub run. The initialiser of a store makes its caches, registers the functions whose results
/// they hold, and follows its streams. Handlers of one stream are called in the order of registration, in these phases:
///
/// 1. Sources: ``StreamIDs`` registers the source of a stream when its generator is asked for the first time.
/// 2. Caches: ``follow(_:for:_:)``, before the position advances. A store whose memory derives from another store's is made after that
///    one, so that what it reads again is new already.
/// 3. Advance: the hub moves the position.
/// 4. Notices: services subscribe to the hub after the advance.
public final class StoreContext: Sendable {
  /// Connections to the database.
  public let database: PostgresClient
  /// Server configuration.
  public let config: HomeserverConfig
  /// Source of the time.
  public let clock: ServerClock
  /// Log of the stores.
  public let logger: Logger
  /// Connection to the streams.
  public let hub: StreamHub
  /// Id generators of the streams that this process follows.
  public let ids: StreamIDs
  /// Caches of this process, by the functions whose results they hold.
  public let caches: CacheRegistry
  /// Announcements of what a write makes stale.
  public let invalidator: CacheInvalidator
  /// Locks that exclude other processes.
  public let locks: WorkerLocks
  /// Numbers of writers in tokens.
  public let instances: InstanceMapStore

  private let followers = StreamFollowers()
  private let starts = Mutex<[@Sendable () -> Void]>([])

  /// Makes the context; nothing is read yet.
  ///
  /// - Parameter hub: must not run before ``load()`` has returned.
  public init(
    database: PostgresClient, config: HomeserverConfig, hub: StreamHub, clock: ServerClock, logger: Logger
  ) {
    self.database = database
    self.config = config
    self.clock = clock
    self.logger = logger
    self.hub = hub
    ids = StreamIDs(database: database, hub: hub) { config.writers(of: $0) }
    caches = CacheRegistry(config.caches)
    invalidator = CacheInvalidator(database: database, ids: ids[.caches], registry: caches, hub: hub, clock: clock)
    locks = WorkerLocks(
      database: database, instanceName: hub.instanceName, clock: clock, logger: logger
    ) { [weak hub] instance, name, key in
      hub?.send(.lockReleased(instance: instance, name: name, key: key))
    }
    instances = InstanceMapStore(database: database)
    hub.onCommand { [locks] command in
      if case .lockReleased(_, let name, let key) = command { locks.noteReleased(name, key: key) }
    }
    hub.subscribe(.caches) { [caches] batch in
      for case .caches(let row) in batch.rows { caches.apply(cacheFunc: row.cacheFunction, keys: row.keys) }
    }
  }

  /// Reads the positions of all streams that were asked for, then lets the stores begin to remember. Once, at start.
  ///
  /// - Throws: `StreamIDError` or `PostgresError`.
  public func load() async throws {
    try await ids.load()
    for start in starts.withLock({ $0 }) { start() }
  }

  /// Adds what a store does once the positions of the streams are known.
  func afterLoad(_ start: @escaping @Sendable () -> Void) {
    starts.withLock { $0.append(start) }
  }

  /// Adds a handler of a store for the rows of a stream, called before the position advances.
  ///
  /// Rows of this process are left out: they are applied at the commit already, by the store that wrote them or by ``applyCommitted(_:of:)``.
  /// Applied again later they could put an older state over a newer one.
  /// - Parameters:
  ///   - store: held weakly, since it may hold the hub.
  ///   - apply: takes batches that belong together, in order; may run on the Redis thread and must not block.
  func follow<Store: AnyObject & Sendable>(
    _ stream: StreamName, for store: Store, _ apply: @escaping @Sendable (Store, [StreamBatch]) -> Void
  ) {
    let isFirst = followers.add(stream) { [weak store] batches in
      if let store { apply(store, batches) }
    }
    guard isFirst else { return }
    hub.subscribe(stream) { [followers, instanceName = hub.instanceName] batch in
      if batch.instanceName != instanceName { followers.apply([batch], of: stream) }
    }
  }

  /// Applies rows that this process has just committed in one transaction, before their position is announced.
  func applyCommitted(_ batches: [StreamBatch], of stream: StreamName) { followers.apply(batches, of: stream) }
}
