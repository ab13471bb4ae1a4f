import Logging
import MatrixPrimitives
import ServerConfig
import Stores

/// The upkeep of `event_push_actions`, on the process that has the background duty: it sums unread actions up, and
/// removes what is read or older than a day.
public final class PushSummaries: Sendable {
  private static let pause = Duration.seconds(30)
  /// The time for which actions are kept beyond being summed up, so that a receipt for something a little older still
  /// counts exactly.
  private static let keptMilliseconds: Int64 = 86_400_000
  /// The time that a staged action may wait for its event.
  private static let stagedMilliseconds: Int64 = 3_600_000
  /// The time for which the place of a day ago is used before it is searched anew.
  private static let searchMilliseconds: Int64 = 600_000

  private let config: HomeserverConfig
  private let store: PushSummaryStore
  private let clock: ServerClock
  private let logger: Logger

  /// Makes the upkeep of the tables.
  public init(config: HomeserverConfig, store: PushSummaryStore, clock: ServerClock, logger: Logger) {
    self.config = config
    self.store = store
    self.clock = clock
    self.logger = logger
  }

  /// Works at once and then every half minute, until cancelled; does nothing on a process without the background duty.
  public func run() async {
    guard config.duties.runsBackgroundTasks else { return }
    var kept: (from: Int64, searchedAt: Int64?) = (0, nil)
    while !Task.isCancelled {
      do {
        let now = clock.monotonicMilliseconds
        if kept.searchedAt.map({ now - $0 >= Self.searchMilliseconds }) ?? true {
          kept = (try await store.position(at: clock.nowMilliseconds - Self.keptMilliseconds), now)
        }
        try await pass(removingBefore: kept.from)
      } catch is CancellationError {
        return
      } catch {
        logger.warning("Could not sum up push actions", metadata: ["error": "\(error)"])
      }
      try? await Task.sleep(for: Self.pause)  // Cancelled: the loop ends.
    }
  }

  /// Takes new receipts into account, sums new actions up, and removes old ones.
  ///
  /// - Parameter place: position of the first event whose actions are kept though they are summed up.
  func pass(removingBefore place: Int64) async throws {
    while try await !store.takeReceipts(upTo: store.receiptIDs.currentToken, serverName: config.serverName) {}
    while try await !store.sumUp(to: store.eventIDs.currentToken) {}
    while try await !store.removeSummedUp(before: place) {}
    try await store.removeStaged(before: clock.nowMilliseconds - Self.stagedMilliseconds)
  }
}
