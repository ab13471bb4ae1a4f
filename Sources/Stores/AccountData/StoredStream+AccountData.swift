import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Changes of account data and tags.
  public static let accountData = StoredStream(
    .accountData, storedName: "account_data", writers: .accountData, sequence: "account_data_sequence",
    tables: tables("room_account_data", "room_tags_revisions", "account_data"), missed: missedAccountData)

  @Sendable
  private static func missedAccountData(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let range = bounds("stream_id", from, to)
    let rows = try await database.run(
      """
      SELECT stream_id, user_id, NULL AS room_id, account_data_type FROM account_data WHERE \(range)
      UNION ALL
      SELECT stream_id, user_id, room_id, account_data_type FROM room_account_data WHERE \(range)
      UNION ALL
      SELECT stream_id, user_id, room_id, 'm.tag' FROM room_tags_revisions WHERE \(range)
      \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, room, type) = try row.decode(Int64.self, Text.self, Text?.self, Text.self)
      let changed = AccountDataRow(
        userID: UserID(unchecked: user), roomID: room.map { RoomID(unchecked: $0) }, type: type)
      return (id, .accountData(changed))
    }
  }
}
