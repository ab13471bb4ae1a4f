import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import StorageEngine

/// Stores of rooms: events, state, members, history, directory, and the push actions that are written with events.
public final class RoomStores: Sendable {
  /// What the stores are made from.
  public let context: StoreContext
  /// Events.
  public let events: EventStore
  /// State groups and current state.
  public let state: StateStore
  /// Graph of auth events.
  public let authChains: AuthChainStore
  /// Rooms and the edges of their graphs.
  public let rooms: RoomStore
  /// Who is in which room.
  public let memberships: MembershipStore
  /// Relations of events.
  public let relations: RelationStore
  /// Threads that users follow.
  public let threadSubscriptions: ThreadSubscriptionStore
  /// Content of redacted events that has to go.
  public let redactions: RedactionStore
  /// History of rooms.
  public let timeline: TimelineStore
  /// Rooms that let members see all history.
  public let historyOpenness: HistoryOpenness
  /// Room aliases.
  public let directory: DirectoryStore
  /// Published rooms.
  public let publicRooms: PublicRoomStore
  /// Messages found by their words.
  public let search: SearchStore
  /// Events that are sent later.
  public let delayedEvents: DelayedEventStore
  /// What paged answers remember.
  public let paginationSessions: PaginationSessionStore
  /// What push rules want done about events.
  public let pushActions: PushActionStore
  /// Push actions of events that were never stored.
  public let pushActionOrphans: PushActionOrphanStore
  /// The barrier by which requests see what was committed before they began.
  public let barrier: ReadBarrier

  /// Makes the stores; nothing is read yet. Stores whose memory derives from others' come after those.
  public init(_ context: StoreContext) {
    self.context = context
    events = EventStore(context)
    state = StateStore(context)
    rooms = RoomStore(context)
    memberships = MembershipStore(context)
    relations = RelationStore(context, events: events)
    threadSubscriptions = ThreadSubscriptionStore(context)
    historyOpenness = HistoryOpenness(context, events: events, state: state)
    authChains = AuthChainStore(context)
    redactions = RedactionStore(context)
    timeline = TimelineStore(context, events: events)
    directory = DirectoryStore(context)
    publicRooms = PublicRoomStore(context, events: events)
    search = SearchStore(context)
    delayedEvents = DelayedEventStore(context)
    paginationSessions = PaginationSessionStore(context)
    pushActions = PushActionStore(context)
    pushActionOrphans = PushActionOrphanStore(context)
    barrier = ReadBarrier(context)
    context.ids.follow(.stickyEvents, .unPartialStatedRooms, .unPartialStatedEvents)
  }

  /// Applies rows of the `events` stream that this process has just committed, before their position is announced.
  public func applyCommitted(_ batches: [StreamBatch]) { context.applyCommitted(batches, of: .events) }

  /// Forgets whatever may stem from events of a room that this process applied and the database then lost.
  ///
  /// - Parameter members: the users whose memberships those events stated.
  public func forgetUncommitted(room: RoomID, members: [UserID]) {
    events.invalidateAll()
    events.forgetRecent()
    state.groupOfEvent.invalidateAll()
    state.invalidateCurrent(room)
    historyOpenness.invalidate(room)
    rooms.invalidateExtremities(room)
    memberships.invalidate(room: room)
    for member in members { memberships.invalidate(user: member) }
  }

  /// Reads one event of a room's current state; nil when there is none.
  public func currentStateEvent(_ room: RoomID, _ key: StateKey) async throws -> StoredEvent? {
    guard let id = try await state.currentState(room, filter: .keys([key]))[key] else { return nil }
    return try await events.event(id)
  }
}

extension RoomStores {
  /// Connections to the database.
  public var database: PostgresClient { context.database }
  /// Server configuration.
  public var config: HomeserverConfig { context.config }
  /// Source of the time.
  public var clock: ServerClock { context.clock }
  /// Caches of this process.
  public var caches: CacheRegistry { context.caches }
  /// Announcements of what a write makes stale.
  public var invalidator: CacheInvalidator { context.invalidator }
}
