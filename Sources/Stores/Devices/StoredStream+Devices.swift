import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Cross-signing keys; no process announces them.
  static let crossSigningKeys = StoredStream(
    writers: nil, storedName: nil, sequence: "e2e_cross_signing_keys_sequence",
    tables: tables("e2e_cross_signing_keys"))

  /// Changes of devices and of cross-signing signatures.
  public static let deviceLists = StoredStream(
    .deviceLists, storedName: "device_lists_stream", writers: .deviceLists, sequence: "device_lists_sequence",
    tables: tables(
      "device_lists_stream", "user_signature_stream", "device_lists_outbound_pokes", "device_lists_changes_in_room",
      "device_lists_remote_pending", "device_lists_changes_converted_stream_position"), missed: missedDeviceLists)

  @Sendable
  private static func missedDeviceLists(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let range = bounds("stream_id", from, to)
    let rows = try await database.run(
      """
      SELECT stream_id, user_id, false, false FROM device_lists_stream WHERE \(range)
      UNION
      SELECT stream_id, user_id, false, true FROM device_lists_outbound_pokes WHERE \(range)
      UNION
      SELECT stream_id, from_user_id, true, false FROM user_signature_stream WHERE \(range)
      \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, isSignature, calculated) = try row.decode(Int64.self, Text.self, Bool.self, Bool.self)
      let changed = DeviceListRow(
        userID: UserID(unchecked: user), isSignature: isSignature, areHostsCalculated: calculated)
      return (id, .deviceLists(changed))
    }
  }
}
