import Postgres
import Synchronization

/// Writes a writer's position to `stream_positions`, off the path of whoever moved it.
///
/// Only processes that start read the table, and they find rows above a stale position themselves. So moves that come
/// while a write is under way are written together as one, and a busy stream pays one small statement at a time.
final class PositionRecorder: Sendable {
  private struct State {
    var wanted: Int64?
    var written: Int64?
    var isWriting = false
  }

  private let database: PostgresClient
  private let streamName: String
  private let instanceName: String
  private let state = Mutex(State())

  init(database: PostgresClient, streamName: String, instanceName: String) {
    self.database = database
    self.streamName = streamName
    self.instanceName = instanceName
  }

  /// Has a position written soon.
  func record(_ position: Int64) {
    let begins = state.withLock { state in
      state.wanted = position
      guard !state.isWriting else { return false }
      state.isWriting = true
      return true
    }
    // A loose task on purpose: it ends with the last move, and its loss costs only the note it would have written.
    if begins { Task { await self.writeWanted() } }
  }

  /// Writes a position now.
  func flush(_ position: Int64) async {
    guard position != 0, state.withLock({ $0.written != position }) else { return }
    await write(position)
  }

  private func writeWanted() async {
    while let position = takeWanted() { await write(position) }
  }

  private func takeWanted() -> Int64? {
    state.withLock { state in
      defer { state.wanted = nil }
      if state.wanted == nil { state.isWriting = false }
      return state.wanted
    }
  }

  private func write(_ position: Int64) async {
    let further: SQL = position < 0 ? "least" : "greatest"
    do {
      _ = try await database.read(
        """
        INSERT INTO stream_positions (stream_name, instance_name, stream_id)
        VALUES (\(streamName), \(instanceName), \(position))
        ON CONFLICT (stream_name, instance_name)
        DO UPDATE SET stream_id = \(further)(EXCLUDED.stream_id, stream_positions.stream_id)
        """)
      state.withLock { $0.written = position }
    } catch {
      // A database that is away: the next move writes again, and a start finds the rows in the tables.
    }
  }
}
