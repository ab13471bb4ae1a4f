import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Messages for devices.
  public static let toDevice = StoredStream(
    .toDevice, storedName: "to_device", writers: .toDevice, sequence: "device_inbox_sequence",
    tables: tables("device_inbox", "device_federation_outbox"), missed: missedToDevice)

  @Sendable
  private static func missedToDevice(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let range = bounds("stream_id", from, to)
    let rows = try await database.run(
      """
      SELECT stream_id, user_id FROM device_inbox WHERE \(range) GROUP BY stream_id, user_id
      UNION ALL
      SELECT stream_id, destination FROM device_federation_outbox WHERE \(range) GROUP BY stream_id, destination
      \(tail(limit))
      """)
    return try rows.map { (try $0.get(0), .toDevice(try $0.get(1))) }
  }
}
