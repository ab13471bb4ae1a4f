import EventPersistence
import Logging
import MatrixEvents
import MatrixPrimitives
import Replication
import ServerConfig
import Stores

/// The services about rooms; one exists per process.
public final class RoomServices: Sendable {
  /// Accounts, as far as rooms ask for them.
  public let accounts: AccountStore
  /// Submits events.
  public let submitter: EventSubmitter
  /// The writer of events into the database, on the processes that own the room.
  public let persister: EventPersister
  /// Joining, inviting, removing and banning.
  public let memberships: MembershipService
  /// The creation of rooms.
  public let creation: RoomCreationService
  /// The reading of events, pages of history and state.
  public let history: HistoryService
  /// The state at events.
  public let state: StateService
  /// Aliases and the list of published rooms.
  public let directory: DirectoryService
  /// Overviews of rooms, and the rooms below a space.
  public let spaces: SpaceService
  /// Messages found by their words.
  public let search: SearchService
  /// Events that are sent later.
  public let delayedEvents: DelayedEventService
  /// The rooms that new users join of themselves.
  public let automaticJoins: AutomaticJoins
  /// The replacement of rooms by rooms of another version.
  public let upgrades: RoomUpgradeService
  /// The form of events for clients.
  public let serializer: ClientEventSerializer
  /// The removal of redacted events' content from the database.
  public let redactionCensor: RedactionCensor
  private let locks: RoomLocks
  /// The acceptance of events that other processes have made.
  let inbox: EventInbox

  /// Builds the services.
  ///
  /// - Parameters:
  ///   - push: rules that events are evaluated by, and the sums that are kept of push actions.
  ///   - accountData: whom users ignore.
  ///   - accounts: guests and users whose messages were erased.
  ///   - router: has other processes do what is theirs.
  ///   - signer: signs this server's events.
  ///   - users: answers questions about this server's users.
  ///   - rateLimiter: decides who has to wait.
  public init(
    stores: RoomStores, push: PushStores, accountData: AccountDataStore, accounts: AccountStores, router: CallRouter,
    signer: EventSigner, logger: Logger, users: LocalUsers, rateLimiter: RoomRateLimiter = .unlimited
  ) {
    self.accounts = accounts.accounts
    let (config, hub, clock) = (stores.context.config, stores.context.hub, stores.context.clock)
    state = StateService(stores: stores, logger: logger)
    persister = EventPersister(stores: stores, state: state, hub: hub, logger: logger)
    let creator = EventCreator(stores: stores, state: state, signer: signer, config: config, clock: clock)
    let delivery = PersisterDelivery(
      stores: stores, state: state, persister: persister,
      pushActions: PushActionEvaluator(
        stores: stores, rules: push.rules, accountData: accountData, state: state, config: config),
      router: router, hub: hub, clock: clock, logger: logger)
    locks = RoomLocks(router.isAlone ? nil : stores.context.locks)
    submitter = EventSubmitter(
      creator: creator, stores: stores, delivery: delivery, users: users, rateLimiter: rateLimiter, locks: locks,
      logger: logger)
    memberships = MembershipService(
      stores: stores, accounts: accounts.accounts, state: state, submitter: submitter, config: config, users: users,
      rateLimiter: rateLimiter)
    creation = RoomCreationService(
      rooms: stores.rooms, directory: stores.directory, config: config, creator: creator, delivery: delivery,
      memberships: memberships, rateLimiter: rateLimiter, clock: clock)
    upgrades = RoomUpgradeService(
      stores: stores, creator: creator, delivery: delivery, submitter: submitter, creation: creation, users: users,
      locks: locks, config: config, logger: logger)
    let access = RoomAccess(stores: stores)
    let visibility = VisibilityFilter(
      stores: stores, accountData: accountData, deactivations: accounts.deactivations, state: state)
    serializer = ClientEventSerializer(
      stores: stores, accountData: accountData, access: access, visibility: visibility)
    history = HistoryService(
      stores: stores, state: state, serializer: serializer, access: access, visibility: visibility)
    directory = DirectoryService(stores: stores, state: state, config: config, submitter: submitter, users: users)
    automaticJoins = AutomaticJoins(
      stores: stores, accounts: accounts.accounts, memberships: memberships, creation: creation, directory: directory,
      logger: logger)
    delayedEvents = DelayedEventService(
      stores: stores, accounts: accounts.accounts, submitter: submitter, memberships: memberships, router: router,
      rateLimiter: rateLimiter, logger: logger)
    spaces = SpaceService(stores: stores, rateLimiter: rateLimiter)
    search = SearchService(stores: stores, state: state, history: history, visibility: visibility, config: config)
    redactionCensor = RedactionCensor(config: config, stores: stores, clock: clock, logger: logger)
    inbox = EventInbox(
      stores: stores, state: state, creator: creator, persister: persister, rateLimiter: rateLimiter)
  }

  /// The calls that other processes make to those that write events, and to the main process.
  public var calls: [ServedCall] { inbox.calls + memberships.calls + delayedEvents.calls }

  /// Sends what is sent later, on the main process; until cancelled.
  public func sendDelayedEvents() async { await delayedEvents.run() }

  /// Gives back the locks of rooms that are no longer used; until cancelled.
  public func giveBackLocks() async { await locks.run() }
}
