import Logging
import MatrixPrimitives
import ServerConfig
import Stores

/// The removal of redacted events' content from the database after `redaction_retention_period`, on the process that
/// has the background duty.
public final class RedactionCensor: Sendable {
  /// The longest pause, as on Synapse; pauses are shorter only when the content is kept for less.
  private static let longestPause: Int64 = 300_000
  private static let shortestPause: Int64 = 1000
  private static let batchSize = 100

  private let config: HomeserverConfig
  private let stores: RoomStores
  private let clock: ServerClock
  private let logger: Logger

  /// Makes the censor.
  public init(config: HomeserverConfig, stores: RoomStores, clock: ServerClock, logger: Logger) {
    self.config = config
    self.stores = stores
    self.clock = clock
    self.logger = logger
  }

  /// Works at once and then every few minutes, until cancelled; does nothing on a process without the background duty.
  public func run() async {
    guard config.duties.runsBackgroundTasks, let kept = config.rooms.redactionRetentionMilliseconds else { return }
    let pause = min(max(kept, Self.shortestPause), Self.longestPause)
    while !Task.isCancelled {
      do {
        let (time, isTooEarly) = clock.nowMilliseconds.subtractingReportingOverflow(kept)
        if !isTooEarly { try await censor(before: time) }
      } catch is CancellationError {
        return
      } catch {
        logger.warning("Could not censor redacted events", metadata: ["error": "\(error)"])
      }
      try? await Task.sleep(for: .milliseconds(pause))  // Cancelled: the loop ends.
    }
  }

  /// Deals with all redactions that came before a time.
  ///
  /// A redaction that is not valid, or whose target is not stored, is noted as done: that does not change, and a target that comes later
  /// marks it anew.
  func censor(before time: Int64) async throws {
    while true {
      let pending = try await stores.redactions.pending(before: time, limit: Self.batchSize)
      guard !pending.isEmpty else { return }
      let targets = try await stores.events.storedEvents(pending.map(\.target))
      let redacted = targets.values.filter { $0.redactedBecause != nil }.map(\.event)
      try await stores.redactions.finish(pending, replacing: redacted)
      if pending.count < Self.batchSize { return }
    }
  }
}
