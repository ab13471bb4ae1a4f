import EventPersistence
import Logging
import MatrixEvents
import MatrixPrimitives
import Replication
import ServerConfig
import Stores

/// Holds the services about rooms; one exists per process.
public final class RoomServices: Sendable {
  /// Sends events.
  public let sender: EventSender
  /// Writes events into the database, on the processes that own the room.
  public let persister: EventPersister
  /// Joins, invites, removes and bans.
  public let memberships: MembershipService
  /// Creates rooms.
  public let creation: RoomCreationService
  /// Reads events, pages of history and state.
  public let history: HistoryService
  /// Computes the state at events.
  public let state: StateService
  /// Keeps aliases and the list of published rooms.
  public let directory: DirectoryService
  /// Writes events for clients.
  public let serializer: ClientEventSerializer
  /// Keeps the table of push actions small.
  public let pushSummaries: PushSummaries
  /// Takes the content of redacted events out of the database.
  public let redactionCensor: RedactionCensor
  private let locks: RoomLocks
  /// Takes over events that other processes have made.
  let inbox: EventInbox

  /// Builds the services.
  ///
  /// - Parameters:
  ///   - router: has other processes do what is theirs.
  ///   - signer: signs this server's events.
  ///   - users: answers questions about this server's users.
  ///   - rateLimiter: decides who has to wait.
  public init(
    config: HomeserverConfig, storage: Storage, hub: StreamHub, router: CallRouter, signer: EventSigner,
    clock: ServerClock, logger: Logger, users: LocalUsers, rateLimiter: RoomRateLimiter = .unlimited
  ) {
    state = StateService(storage: storage, logger: logger)
    persister = EventPersister(storage: storage, state: state, hub: hub, logger: logger)
    let creator = EventCreator(storage: storage, state: state, signer: signer, config: config, clock: clock)
    let delivery = EventDelivery(
      storage: storage, state: state, persister: persister,
      pushActions: PushActionEvaluator(storage: storage, state: state, config: config), router: router,
      hub: hub, clock: clock, logger: logger)
    locks = RoomLocks(router.isAlone ? nil : storage.locks)
    sender = EventSender(
      creator: creator, storage: storage, delivery: delivery, users: users, rateLimiter: rateLimiter, locks: locks,
      logger: logger)
    memberships = MembershipService(
      storage: storage, state: state, sender: sender, config: config, users: users, rateLimiter: rateLimiter)
    creation = RoomCreationService(
      storage: storage, config: config, creator: creator, delivery: delivery, memberships: memberships,
      rateLimiter: rateLimiter, clock: clock)
    let access = RoomAccess(storage: storage)
    let visibility = VisibilityFilter(storage: storage, state: state)
    serializer = ClientEventSerializer(storage: storage, access: access, visibility: visibility)
    history = HistoryService(
      storage: storage, state: state, serializer: serializer, access: access, visibility: visibility)
    directory = DirectoryService(storage: storage, state: state, config: config, sender: sender, users: users)
    pushSummaries = PushSummaries(config: config, storage: storage, clock: clock, logger: logger)
    redactionCensor = RedactionCensor(config: config, storage: storage, clock: clock, logger: logger)
    inbox = EventInbox(
      storage: storage, state: state, creator: creator, persister: persister, rateLimiter: rateLimiter)
  }

  /// The calls that other processes make to those that write events, and to the main process.
  public var calls: [ServedCall] { inbox.calls + memberships.calls }

  /// Gives back the locks of rooms that are no longer used; until cancelled.
  public func giveBackLocks() async { await locks.run() }
}
