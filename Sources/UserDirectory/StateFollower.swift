import Logging
import MatrixPrimitives
import Replication

/// The wake-up of somebody who keeps tables right by the state of rooms.
///
/// Rows of the stream say only that there is something to do. What it is, and from where on, is read from the database, which has the position
/// up to which it is done: a restart, or another process that takes over, neither loses nor repeats anything.
struct StateFollower: Sendable {
  /// How long news is gathered before it is looked at.
  private static let pause = Duration.milliseconds(100)
  /// The pause after a failure.
  private static let pauseAfterFailure = Duration.seconds(5)
  /// The greatest time without a pass, after which the position has moved with the stream even though no state changed.
  private static let longestPauseSeconds: Int64 = 60

  private let name: String
  private let logger: Logger
  private let news: AsyncStream<Void>
  private let wake: AsyncStream<Void>.Continuation

  /// Follows the stream of events. To be made before the hub runs.
  ///
  /// - Parameter name: for the log.
  init(_ name: String, hub: StreamHub, logger: Logger) {
    self.name = name
    self.logger = logger
    let (news, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.news = news
    self.wake = wake
    hub.subscribeAfterAdvance(.events) { batch in
      if batch.rows.contains(where: Self.changesState) { wake.yield() }
    }
  }

  private static func changesState(_ row: StreamRow) -> Bool {
    switch row {
    case .eventState, .eventStateAll: true
    default: false
    }
  }

  /// Calls a pass at once, when the state of a room has changed, and now and then; until cancelled.
  func run(_ pass: @escaping @Sendable () async throws -> Void) async {
    wake.yield()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [wake] in
        while (try? await Beat.wait(seconds: Self.longestPauseSeconds)) != nil { wake.yield() }  // Cancelled: ends.
      }
      for await _ in news {
        do {
          try await pass()
          try await Task.sleep(for: Self.pause)
        } catch is CancellationError {
          break
        } catch {
          logger.warning("Could not bring the \(name) up to date", metadata: ["error": "\(error)"])
          wake.yield()
          try? await Task.sleep(for: Self.pauseAfterFailure)  // Cancelled: the loop ends.
        }
      }
      group.cancelAll()
    }
  }
}
