/// Stores of what follows from rooms and accounts, and of what users report of them: the user directory, statistics, reports.
public final class DirectoryStores: Sendable {
  /// What the stores are made from.
  public let context: StoreContext
  /// Events, for those who follow the state of rooms.
  public let events: EventStore
  /// Current state of rooms.
  public let state: StateStore
  /// Who may be found by whom.
  public let userDirectory: UserDirectoryStore
  /// Numbers of rooms and users.
  public let statistics: StatisticsStore
  /// Reports.
  public let reports: ReportStore
  /// Work on the database that is done in pieces.
  public let backgroundUpdates: BackgroundUpdateStore

  /// Makes the stores; nothing is read yet.
  public init(_ context: StoreContext, rooms: RoomStores) {
    self.context = context
    events = rooms.events
    state = rooms.state
    userDirectory = UserDirectoryStore(context, events: rooms.events, state: rooms.state)
    statistics = StatisticsStore(context)
    reports = ReportStore(context)
    backgroundUpdates = BackgroundUpdateStore(context)
  }
}
