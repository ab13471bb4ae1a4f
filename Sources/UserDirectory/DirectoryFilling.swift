import Logging
import MatrixEvents
import MatrixPrimitives
import ServerConfig
import Stores

/// The filling of the user directory and of the statistics from rooms and accounts, where a database has that before it.
///
/// The work is Synapse's background updates, in pieces, on the process with the background duty, as there: whichever program runs that process goes on
/// where the other one stopped.
public final class DirectoryFilling: Sendable {
  /// The time between looks for work, in seconds: an administrator may ask for it at any time.
  private static let pauseSeconds: Int64 = 30
  private static let names = UserDirectoryFilling.allCases.map(\.rawValue) + StatisticsFilling.allCases.map(\.rawValue)

  private let config: HomeserverConfig
  private let stores: DirectoryStores
  private let logger: Logger

  /// Makes the job.
  public init(stores: DirectoryStores, logger: Logger) {
    config = stores.context.config
    self.stores = stores
    self.logger = logger
  }

  /// Works until there is nothing to be done, and looks now and then whether there is again; until cancelled.
  public func run() async {
    guard config.duties.runsBackgroundTasks else { return }
    while !Task.isCancelled {
      do {
        while try await doPiece() { try Task.checkCancellation() }
      } catch is CancellationError {
        return
      } catch {
        logger.warning("Could not fill the user directory or the statistics", metadata: ["error": "\(error)"])
      }
      try? await Beat.wait(seconds: Self.pauseSeconds)  // Cancelled: the loop ends.
    }
  }

  /// Does one piece of the work.
  ///
  /// - Returns: whether there was any.
  func doPiece() async throws -> Bool {
    guard let update = try await stores.backgroundUpdates.next(of: Self.names) else { return false }
    let position = stores.events.currentToken().stream
    if let step = UserDirectoryFilling(rawValue: update.name) {
      try await stores.userDirectory.fill(step, update.progress, position: position)
    } else if !config.keepsStatistics {
      try await stores.backgroundUpdates.end(update.name)
    } else if StatisticsFilling(rawValue: update.name) == .users {
      if try await !stores.statistics.countUsers(update.progress) {
        try await stores.backgroundUpdates.end(update.name)
      }
    } else {
      try await countRooms(update, position)
    }
    return true
  }

  private func countRooms(_ update: BackgroundUpdateStore.Update, _ position: Int64) async throws {
    let rooms = try await stores.statistics.roomsToCount(update.progress)
    guard !rooms.isEmpty else { return try await stores.backgroundUpdates.end(update.name) }
    let keys = RoomStatisticsState.types.map { StateKey($0, "") }
    let states = try await stores.state.currentState(rooms: rooms, filter: .keys(keys))
    let events = try await stores.events.events(states.values.flatMap { Array($0.values) })
    for room in rooms {
      var state = RoomStatisticsState()
      for type in RoomStatisticsState.types {
        state.take(type, states[room]?[StateKey(type, "")].flatMap { events[$0] }?.content)
      }
      try await stores.statistics.count(room, state, position: position)
    }
  }
}
