import MatrixPrimitives
import Postgres

/// Reports of events, rooms and users, for administrators: `event_reports`, `room_reports`, `user_reports`.
///
/// The tables number their rows by what is there, so only the main process, Synapse's or this server's, may add to them.
public final class ReportStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Keeps a report of an event.
  ///
  /// - Parameters:
  ///   - content: the request's body, as JSON.
  ///   - receivedMilliseconds: the time of the report, since 1970.
  public func add(
    event: EventID, in room: RoomID, by user: UserID, reason: Text?, content: JSON, receivedMilliseconds: Int64
  ) async throws {
    let text = Text(decoding: content.encoded, as: UTF8.self)
    try await insert(
      """
      INSERT INTO event_reports (id, received_ts, room_id, event_id, user_id, reason, content)
      SELECT COALESCE(max(id), 0) + 1, \(receivedMilliseconds)::bigint, \(room.rawValue), \(event.rawValue),
        \(user.rawValue), \(reason), \(text) FROM event_reports
      """)
  }

  /// Keeps a report of a room.
  public func add(room: RoomID, by user: UserID, reason: Text, receivedMilliseconds: Int64) async throws {
    try await insert(
      """
      INSERT INTO room_reports (id, received_ts, room_id, user_id, reason)
      SELECT COALESCE(max(id), 0) + 1, \(receivedMilliseconds)::bigint, \(room.rawValue), \(user.rawValue), \(reason)
      FROM room_reports
      """)
  }

  /// Keeps a report of a user.
  public func add(target: UserID, by user: UserID, reason: Text, receivedMilliseconds: Int64) async throws {
    try await insert(
      """
      INSERT INTO user_reports (id, received_ts, target_user_id, user_id, reason)
      SELECT COALESCE(max(id), 0) + 1, \(receivedMilliseconds)::bigint, \(target.rawValue), \(user.rawValue), \(reason)
      FROM user_reports
      """)
  }

  /// Adds a row after all others that are being added.
  private func insert(_ row: SQL) async throws {
    try await database.transaction("add_report", isolation: .readCommitted) { txn in
      txn.enqueue("SELECT pg_advisory_xact_lock(hashtext('myelin reports'))")
      txn.enqueue(row)
    }
  }
}
