import Logging
import MatrixPrimitives
import RateLimits
import Replication
import RoomServices
import ServerConfig
import Stores

/// The services of syncing and of everything that only syncing shows: one of each per process.
///
/// Start: ``register()`` once the stores are made and before the hub runs, ``start()`` when the positions of the streams are loaded,
/// ``run()`` as a service.
public final class SyncServices: Sendable {
  /// The wait of requests for news.
  public let notifier: Notifier
  /// The positions of this process in all streams.
  public let tokens: CurrentTokens
  /// The answer to `/sync`.
  public let sync: SyncService
  /// The answers of `/initialSync`.
  public let snapshots: SnapshotService
  /// The answer to `/events`.
  public let eventStream: EventStreamService
  /// The answer to sliding syncs.
  public let sliding: SlidingSyncService
  /// The users who are typing.
  public let typing: TypingService
  /// The acceptance of receipts and read markers.
  public let receipts: ReceiptService
  /// The record of who is online.
  public let presence: PresenceService
  /// The acceptance of messages for devices.
  public let toDevice: ToDeviceService
  /// The changes of account data and tags.
  public let accountData: AccountDataService
  /// The push rules and their changes.
  public let pushRules: PushRuleService
  /// The threads that users follow.
  public let threadSubscriptions: ThreadSubscriptionService
  /// What users were notified of.
  public let notifications: NotificationService
  /// The answer to whose keys have changed.
  public let keyChanges: KeyChangeService
  /// Filters of clients.
  public let filters: FilterService
  /// The configuration of syncing.
  public let settings: SyncSettings

  private let stores: UserStores
  private let hub: StreamHub
  private let notices: StreamNotices
  private let trimsOutbox: Bool
  private let succession: RoomSuccession
  private let deletesConnections: Bool
  private let acceptance: InvitationAcceptance
  private let logger: Logger

  /// Makes the services; nothing is read yet.
  ///
  /// - Parameters:
  ///   - deviceLists: changed device lists and keys left.
  ///   - rooms: events, history and visibility.
  ///   - router: has other processes do what is theirs.
  ///   - instanceID: identifies this life of the process in USER_SYNC commands.
  public init(
    stores: RoomStores, users: UserStores, push: PushStores, deviceLists: DeviceListStore, rooms: RoomServices,
    router: CallRouter, instanceID: Text = RandomString.letters(5), logger: Logger
  ) {
    let (config, clock) = (stores.context.config, stores.context.clock)
    self.stores = users
    hub = stores.context.hub
    self.logger = logger
    deletesConnections = config.duties.runsBackgroundTasks
    trimsOutbox = config.duties.federationSenders == [hub.instanceName]
    settings = SyncSettings(config)
    filters = FilterService(store: users.filters, timelineLimit: settings.filterTimelineLimit)
    notifier = Notifier()
    typing = TypingService(
      hub: hub, access: rooms.history.access, isWriter: config.isWriter(of: .typing), clock: clock)
    tokens = CurrentTokens(ids: stores.context.ids, typing: typing)
    pushRules = PushRuleService(
      stores: push, limits: PushRuleStore.Limits(),
      withThreads: config.experimental.isEnabled("msc4306_enabled"))
    accountData = AccountDataService(
      stores: users, memberships: stores.memberships, pushRules: pushRules, router: router,
      canDelete: settings.deletesAccountData)
    let succession = RoomSuccession(
      accountData: accountData, store: users.accountData, pushRules: pushRules, router: router, logger: logger)
    self.succession = succession
    acceptance = InvitationAcceptance(
      rooms: rooms, stores: stores, accounts: rooms.accounts, accountData: accountData,
      accountDataStore: users.accountData,
      logger: logger)
    rooms.upgrades.successors.add { try await succession.carry(from: $0, to: $1, users: $2) }
    threadSubscriptions = ThreadSubscriptionService(
      store: stores.threadSubscriptions, history: rooms.history,
      isEnabled: config.experimental.isEnabled("msc4306_enabled"))
    notifications = NotificationService(
      pushActions: stores.pushActions, events: stores.events, serializer: rooms.serializer)
    receipts = ReceiptService(
      stores: users, events: stores.events, relations: stores.relations, rooms: rooms, accountData: accountData,
      clock: clock)
    toDevice = ToDeviceService(
      store: users.toDevice, serverName: config.serverName,
      keyRequests: RateLimiter(config.rateLimits.keyRequests, clock: clock), clock: clock)
    presence = PresenceService(
      stores: users, memberships: stores.memberships, router: router, instanceID: instanceID, logger: logger)
    let read = SyncStores(rooms: stores, users: users, push: push, deviceLists: deviceLists)
    let readers = SyncReaders(
      stores: read, visibility: rooms.history.visibility, notifier: notifier, tokens: tokens, typing: typing,
      pushRules: pushRules, omitsEmptyAccountData: settings.deletesAccountData)
    keyChanges = KeyChangeService(readers: readers)
    sync = SyncService(
      stores: read, rooms: rooms, readers: readers, notifier: notifier, tokens: tokens, settings: settings,
      clock: clock, logger: logger)
    snapshots = SnapshotService(sync: sync, accountData: accountData, blockedRooms: stores.rooms)
    eventStream = EventStreamService(sync: sync, snapshots: snapshots, blockedRooms: stores.rooms)
    sliding = SlidingSyncService(
      sync: sync, connections: SlidingConnectionStore(stores.context), rooms: SlidingRoomStore(stores.context),
      settings: SlidingSyncService.Settings(
        hasThreadSubscriptions: config.experimental.isEnabled("msc4306_enabled")))
    notices = StreamNotices(
      memberships: stores.memberships, hub: hub, notifier: notifier, typing: typing, logger: logger)
  }

  /// The calls that other processes make to the writers of account data and presence.
  public var calls: [ServedCall] { accountData.calls + presence.calls + succession.calls }

  /// Reads a token that a client was given by `/sync`, where it sends one.
  ///
  /// - Throws: `MatrixError` 400 when the text is none.
  public func token(_ text: Text?) async throws -> StreamToken? {
    guard let text else { return nil }
    guard let token = try await StreamToken.parse(text, directory: stores.context.instances),
      token.room.topological == nil
    else { throw MatrixError.unknown("Invalid stream token", status: 400) }
    return token
  }

  /// Connects the services with the streams.
  public func register() {
    hub.register(TypingSource(typing: typing))
    hub.register(PresenceSource(store: stores.presence))
    notices.register()
    presence.register()
    acceptance.register()
  }

  /// Loads what must be known before the first request.
  public func start() async throws { try await presence.start() }

  /// Keeps time until the task is cancelled: ends waits, typing and presence whose time is up. Then answers all waiting requests.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [notifier] in await notifier.run() }
      group.addTask { [acceptance] in await acceptance.run() }
      group.addTask { [self] in await keepTime() }
    }
    // In a task of its own, since the database refuses work of one that is cancelled.
    await Task { [presence] in await presence.stop() }.value
  }

  private static let secondsBetweenTrims = 30
  private static let secondsBetweenDeletions = 3600

  private func trimOutbox() async {
    do {
      try await toDevice.trimOutbox()
    } catch {
      logger.warning("Could not bound the messages that wait for other servers: \(error)")
    }
  }

  private func deleteUnusedConnections() async {
    do {
      try await sliding.connections.deleteUnused()
    } catch {
      logger.warning("Could not delete connections of sliding sync that are unused: \(error)")
    }
  }

  private func keepTime() async {
    var seconds = 0
    while !Task.isCancelled {
      do { try await Beat.wait(seconds: 1) } catch { return }
      seconds += 1
      typing.expire()
      if seconds % 5 == 0 { await presence.tick() }
      if trimsOutbox, seconds % Self.secondsBetweenTrims == 0 { await trimOutbox() }
      if deletesConnections, seconds % Self.secondsBetweenDeletions == 0 { await deleteUnusedConnections() }
      if seconds % 600 == 0 {
        typing.prune()
        sync.lazyMembers.expire()
      }
    }
  }
}

extension SyncSettings {
  init(_ config: HomeserverConfig) {
    self.init()
    filterTimelineLimit = config.limits.filterTimelineLimit
    isPresenceEnabled = config.presence.isEnabled
    includesOfflineUsers = config.presence.includesOfflineUsers
    excludedRooms = config.rooms.excludedFromSync
    roomsWithoutPresence = config.rooms.excludedFromPresence
    answerLifetimeMilliseconds = config.caches.syncResponseMilliseconds
    countsNotifications = config.push.isEnabled
    showsUnreadCounts = config.experimental.isEnabled("msc2654_enabled")
    acceptsUnstableThreadCounts = config.experimental.isEnabled("msc3773_enabled")
    acceptsUnstableStateAfter = config.experimental.isEnabled("msc4222_enabled")
    deletesAccountData = config.experimental.isEnabled("msc3391_enabled")
  }
}

extension PresenceTimers {
  init(_ settings: PresenceSettings) {
    self.init()
    lastActiveGranularity = settings.lastActiveGranularityMilliseconds
    syncOnlineTimeout = settings.syncOnlineTimeoutMilliseconds
    idleTimeout = settings.idleTimeoutMilliseconds
  }
}
