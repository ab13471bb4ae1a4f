import MatrixPrimitives
import Postgres

extension ToDeviceStore {
  /// Returns some messages for a device after `from` and up to `upTo`, oldest first, each as the JSON object to deliver.
  ///
  /// - Parameter limit: the greatest number of messages, at least 1.
  /// - Returns: also the position up to which the messages are complete.
  public func messages(
    for user: UserID, device: Text, after from: Int64, upTo: Int64, limit: Int
  ) async throws -> (messages: [[UInt8]], upTo: Int64) {
    guard from < upTo, inboxChanges.hasChanged(user.rawValue, since: from) else { return ([], upTo) }
    let limit = max(1, min(limit, Self.batchLimit))
    // Messages of one position are never divided, or the rest of them would be taken for delivered.
    let rows = try await database.run(
      """
      SELECT stream_id, message_json FROM device_inbox
      WHERE user_id = \(user.rawValue) AND device_id = \(device) AND stream_id > \(from)::bigint AND stream_id <= \(upTo)::bigint
      ORDER BY stream_id FETCH FIRST (\(Int64(limit))::bigint) ROWS WITH TIES
      """)
    let messages = try rows.map { try $0.get(1, as: SQLText.self).bytes }
    guard rows.count >= limit, let last = rows.last else { return (messages, upTo) }
    return (messages, try last.get(0))
  }
}
