import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Receipts that users sent.
  public static let receipts = StoredStream(
    .receipts, storedName: "receipts", writers: .receipts, sequence: "receipts_sequence",
    tables: tables("receipts_linearized"), missed: missedReceipts)

  @Sendable
  private static func missedReceipts(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      """
      SELECT stream_id, room_id, receipt_type, user_id, event_id, thread_id, data FROM receipts_linearized
      WHERE \(bounds("stream_id", from, to)) AND COALESCE(instance_name, 'master') = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, room, type, user, event, thread, data) = try row.decode(
        Int64.self, Text.self, Text.self, Text.self, Text.self, Text?.self, SQLText.self)
      let receipt = ReceiptRow(
        roomID: RoomID(unchecked: room), receiptType: type, userID: UserID(unchecked: user),
        eventID: EventID(unchecked: event), threadID: thread, data: try JSONValue.parse(data.bytes).json)
      return (id, .receipt(receipt))
    }
  }
}
