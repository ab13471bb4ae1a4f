import Glibc
import Logging
import Synchronization
import Threads

/// The connection of one worker thread, replaced by a new one when it breaks. Confined to that thread.
final class WorkerSession {
  private(set) var connection: Connection?
  let configuration: PostgresConfiguration
  let counters: Counters
  let logger: Logger
  private let stopping: StopFlag
  private let lender: CompanionLender?

  init(
    connection: Connection?, configuration: PostgresConfiguration, counters: Counters, logger: Logger,
    stopping: StopFlag, lender: CompanionLender? = nil
  ) {
    self.connection = connection
    self.configuration = configuration
    self.counters = counters
    self.logger = logger
    self.stopping = stopping
    self.lender = lender
  }

  private func open() throws(PostgresError) -> Connection {
    let opened = try Connection.open(configuration)
    counters.connections.wrappingAdd(1, ordering: .relaxed)
    return opened
  }

  /// Opens a connection whose statements are planned once and by their indexes, since they are few and the same each time, and
  /// whose commits do not wait for the disk: that of the transaction which they stand beside comes later in the log and takes
  /// them along.
  private func openCompanion() throws(PostgresError) -> Connection {
    let connection = try open()
    let settings = connection.run([
      "SET synchronous_commit TO off", "SET plan_cache_mode TO force_generic_plan", "SET enable_seqscan TO off",
      Transaction.companionLockLimit,
    ])
    if let error = settings.error { throw error }
    return connection
  }

  /// Returns a further connection for a while; nil when there is none to spare.
  func borrowCompanion() -> Connection? {
    guard let lender else { return nil }
    return lender.companions.borrow(makeRoom: lender.makeRoom, open: openCompanion)
  }

  /// Takes a borrowed connection back.
  func giveBackCompanion(_ connection: Connection) { lender?.companions.giveBack(connection) }

  /// Closes the connection after it was lost or left in an unknown state.
  func discard() {
    connection = nil
  }

  /// Closes the connection when it has died while it was idle.
  func dropIfDead() {
    if let connection, !connection.isAlive { discard() }
  }

  /// Returns the connection, or makes one; tries again with growing pauses until it succeeds or is stopped.
  ///
  /// - Throws: `PostgresError` of the last attempt.
  func ready(
    until deadline: ContinuousClock.Instant?, onFailure: (PostgresError) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws(PostgresError) -> Connection {
    if let connection { return connection }
    var backoff = Backoff()
    while true {
      do throws(PostgresError) {
        let opened = try open()
        connection = opened
        return opened
      } catch {
        backoff.logFailure(error, logger)
        onFailure(error)
        let mayRetry = backoff.pause { stopping.isSet || isCancelled() || deadline.map { $0 <= .now } ?? false }
        guard mayRetry else { throw error }
      }
    }
  }
}

/// A flag by which all threads of a client learn that it is being shut down.
final class StopFlag: Sendable {
  private let flag = Atomic<Bool>(false)
  var isSet: Bool { flag.load(ordering: .acquiring) }
  func set() { flag.store(true, ordering: .releasing) }
}

/// The waits between attempts to connect: 50 ms, doubling up to 2 s.
struct Backoff {
  private var span = Duration.milliseconds(50)
  private var failures = 0

  /// Waits before the next attempt, on this thread. Returns false as soon as the closure says to give up.
  mutating func pause(unless giveUp: () -> Bool) -> Bool {
    let slice = Duration.milliseconds(25)
    var left = span
    while left > .zero {
      if giveUp() { return false }
      BlockingThread.sleep(for: min(slice, left))
      left -= slice
    }
    span = min(span * 2, .seconds(2))
    return !giveUp()
  }

  /// Logs the first failure of a row loudly and the others softly.
  mutating func logFailure(_ error: PostgresError, _ logger: Logger) {
    failures += 1
    logger.log(
      level: failures == 1 ? .warning : .debug, "cannot connect to the database",
      metadata: ["error": "\(error.message)", "attempt": "\(failures)"])
  }
}
