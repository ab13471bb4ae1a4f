import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import StorageEngine

/// Holds one of every store; one exists per process.
///
/// Start: `Schema.prepare`, ``load()``, ``registerStreams()``, then `hub.run()`.
public final class Storage: Sendable {
  /// Holds the connections.
  public let database: PostgresClient
  /// Holds the settings.
  public let config: HomeserverConfig
  /// Tells the time.
  public let clock: ServerClock
  /// Receives what administrators should know.
  public let logger: Logger
  /// Connects to the streams.
  public let hub: StreamHub
  /// Numbers the rows of every stream.
  public let ids: StreamIDs
  /// Knows which caches of this process hold the results of which function.
  public let caches: CacheRegistry
  /// Tells all processes what a write makes stale.
  public let invalidator: CacheInvalidator
  /// Takes locks that exclude other processes.
  public let locks: WorkerLocks
  /// Translates between writers and their numbers in tokens.
  public let instances: InstanceMapStore

  /// Reads events.
  public let events: EventStore
  /// Reads and writes state groups and current state.
  public let state: StateStore
  /// Walks the graph of auth events.
  public let authChains: AuthChainStore
  /// Reads and writes rooms and the edges of their graphs.
  public let rooms: RoomStore
  /// Reads who is in which room.
  public let memberships: MembershipStore
  /// Reads and writes room aliases.
  public let directory: DirectoryStore
  /// Reads the list of published rooms.
  public let publicRooms: PublicRoomStore
  /// Reads how events relate.
  public let relations: RelationStore
  /// Lets requests see what was committed before they began.
  public let barrier: ReadBarrier
  /// Takes the content of redacted events out of the database.
  public let redactions: RedactionStore
  /// Walks the history of rooms.
  public let timeline: TimelineStore
  /// Writes what push rules want done about events.
  public let pushActions: PushActionStore
  /// Removes push actions of events that were never stored.
  public let pushActionOrphans: PushActionOrphanStore
  /// Sums push actions up.
  public let pushSummaries: PushSummaryStore

  /// Reads and writes account data, tags and ignored users.
  public let accountData: AccountDataStore
  /// Keeps clients' filters.
  public let filters: FilterStore
  /// Remembers which rooms let members see all history.
  public let historyOpenness: HistoryOpenness
  /// Counts what users have not read.
  public let notificationCounts: NotificationCountStore
  /// Reads and writes presence.
  public let presence: PresenceStore
  /// Reads and writes push rules.
  public let pushRules: PushRuleStore
  /// Reads and writes receipts.
  public let receipts: ReceiptStore
  /// Answers questions that only syncing asks.
  public let sync: SyncStore
  /// Reads and writes messages for devices.
  public let toDevice: ToDeviceStore
  /// Reads and writes accounts.
  public let accounts: AccountStore
  /// Reads access tokens.
  public let accessTokens: AccessTokenStore
  /// Opens, exchanges and ends sessions.
  public let sessions: SessionStore
  /// Closes accounts, and remembers which were erased.
  public let deactivations: DeactivationStore
  /// Writes from where tokens were used.
  public let clientIPs: ClientIPStore
  /// Reads and writes users' devices.
  public let devices: DeviceStore
  /// Reads and writes profiles.
  public let profiles: ProfileStore
  /// Counts the uses of registration tokens.
  public let registrationTokens: RegistrationTokenStore
  /// Keeps sessions of user-interactive authentication.
  public let userInteractiveAuth: UserInteractiveAuthStore

  /// Makes the stores; nothing is read yet.
  public init(
    database: PostgresClient, config: HomeserverConfig, hub: StreamHub, clock: ServerClock, logger: Logger
  ) {
    self.database = database
    self.config = config
    self.clock = clock
    self.logger = logger
    self.hub = hub
    ids = StreamIDs(database: database, instanceName: hub.instanceName) { config.writers(of: $0) }
    barrier = ReadBarrier(database: database, ids: ids, hub: hub)
    caches = CacheRegistry(config.caches)
    invalidator = CacheInvalidator(database: database, ids: ids.caches, registry: caches, hub: hub, clock: clock)
    locks = WorkerLocks(
      database: database, instanceName: hub.instanceName, clock: clock, logger: logger
    ) { [weak hub] instance, name, key in
      hub?.send(.lockReleased(instance: instance, name: name, key: key))
    }
    instances = InstanceMapStore(database: database)
    events = EventStore(database: database, ids: ids, caches: caches, logger: logger)
    state = StateStore(database: database, caches: caches)
    authChains = AuthChainStore(database: database)
    rooms = RoomStore(database: database, caches: caches)
    memberships = MembershipStore(database: database, serverName: config.serverName, caches: caches)
    directory = DirectoryStore(database: database, invalidator: invalidator)
    publicRooms = PublicRoomStore(database: database, events: events)
    relations = RelationStore(database: database)
    redactions = RedactionStore(database: database)
    timeline = TimelineStore(database: database, events: events)
    pushActions = PushActionStore(database: database)
    pushActionOrphans = PushActionOrphanStore(database: database)
    pushSummaries = PushSummaryStore(database: database)
    accountData = AccountDataStore(
      database: database, ids: ids.accountData, invalidator: invalidator, caches: caches, hub: hub)
    filters = FilterStore(database: database, caches: caches)
    historyOpenness = HistoryOpenness(events: events, state: state, caches: caches)
    presence = PresenceStore(database: database, ids: ids.presence, caches: caches, hub: hub)
    pushRules = PushRuleStore(
      database: database, ids: ids.pushRules, events: ids.events, caches: caches, hub: hub)
    receipts = ReceiptStore(database: database, ids: ids.receipts, hub: hub)
    notificationCounts = NotificationCountStore(
      database: database, events: events, receipts: receipts, caches: caches)
    sync = SyncStore(database: database, caches: caches)
    toDevice = ToDeviceStore(database: database, ids: ids.toDevice, caches: caches, hub: hub, clock: clock)
    accounts = AccountStore(database: database, invalidator: invalidator)
    accessTokens = AccessTokenStore(database: database, invalidator: invalidator)
    clientIPs = ClientIPStore(database: database)
    devices = DeviceStore(
      database: database, invalidator: invalidator, deviceListIDs: ids.deviceLists, instanceName: hub.instanceName)
    sessions = SessionStore(database: database, invalidator: invalidator, devices: devices)
    deactivations = DeactivationStore(
      database: database, invalidator: invalidator, sessions: sessions, caches: caches)
    profiles = ProfileStore(database: database)
    registrationTokens = RegistrationTokenStore(database: database)
    userInteractiveAuth = UserInteractiveAuthStore(database: database)
  }

  /// Reads the positions of all streams; once, at start.
  public func load() async throws {
    try await ids.load()
    events.startChangeCaches()
    loadUserStores()
  }

  /// Registers the source of every stream that is kept in tables, and the handlers that keep the stores' caches right.
  ///
  /// Call it before the hub runs and before anybody else subscribes: handlers are called in the order of registration.
  public func registerStreams() {
    hub.register(EventsSource(ids: ids.events, database: database))
    hub.register(BackfillSource(ids: ids.backfill, database: database))
    for source in TableStreamSource.all(ids: ids, database: database) {
      hub.register(source)
    }
    hub.onCommand { [locks] command in
      if case .lockReleased(_, let name, let key) = command { locks.noteReleased(name, key: key) }
    }
    CacheFollower.register(self)
    UserStreamFollower.register(self)
  }
}
