import ByteText
import Logging
import Postgres
import Synchronization

/// The upkeep of a writer's row in `stream_positions`, never with more than one statement at a time.
///
/// Positions that come while one is being stored are merged, so a busy writer costs far fewer statements than ids. The row is
/// written outside the data's transaction, where it would make writers collide. A row that lags does no harm: a process that
/// starts asks the writers where they are. Therefore its commit does not make anybody wait for the disk, either.
final class StreamPositionWriter: Sendable {
  private struct State {
    var wanted: Int64?
    /// What is in the table already, so that it need not be written again.
    var stored: Int64?
    var isWriting = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  /// The time during which positions gather before the next one is stored, so that a busy writer does not spend a
  /// commit on each.
  private static let pause = Duration.milliseconds(50)

  private let database: PostgresClient
  private let streamName: Text
  private let instanceName: Text
  private let isBackward: Bool
  private let logger: Logger
  private let state = Mutex(State())

  init(database: PostgresClient, streamName: Text, instanceName: Text, isBackward: Bool, logger: Logger) {
    self.database = database
    self.streamName = streamName
    self.instanceName = instanceName
    self.isBackward = isBackward
    self.logger = logger
  }

  /// Makes a position be stored soon.
  func store(_ position: Int64) {
    let mustStart = state.withLock { state in
      guard position != state.stored else { return false }
      state.wanted = position
      defer { state.isWriting = true }
      return !state.isWriting
    }
    // A loose task, which ends with the last position: nothing waits for it.
    if mustStart { Task { await write() } }
  }

  /// Waits until everything that was handed in before has been stored or has failed to be.
  func flush() async {
    await withCheckedContinuation { continuation in
      let isIdle = state.withLock { state in
        if state.isWriting { state.waiters.append(continuation) }
        return !state.isWriting
      }
      if isIdle { continuation.resume() }
    }
  }

  private func write() async {
    while true {
      let (position, waiters) = state.withLock { state in
        defer { state.wanted = nil }
        guard state.wanted == nil else { return (state.wanted, [CheckedContinuation<Void, Never>]()) }
        state.isWriting = false
        defer { state.waiters = [] }
        return (nil, state.waiters)
      }
      guard let position else {
        for waiter in waiters { waiter.resume() }
        return
      }
      do {
        try await database.run(upsert(position))
        let isAwaited = state.withLock { state in
          state.stored = position
          return !state.waiters.isEmpty
        }
        if !isAwaited { try? await Task.sleep(for: Self.pause) }
      } catch {
        // The next id brings a newer position, and at the next start the sequence gives it.
        logger.warning("cannot store a stream position", metadata: ["stream": "\(streamName)", "error": "\(error)"])
      }
    }
  }

  private func upsert(_ position: Int64) -> SQL {
    let comparison: SQL = isBackward ? ">" : "<"
    return """
      INSERT INTO stream_positions AS stored (stream_name, instance_name, stream_id)
      SELECT \(streamName)::text, \(instanceName)::text, \(position)::bigint
      WHERE set_config('synchronous_commit', 'off', true) = 'off'
      ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = EXCLUDED.stream_id
      WHERE stored.stream_id \(comparison) EXCLUDED.stream_id
      """
  }
}
