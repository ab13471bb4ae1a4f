import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Media put into or out of quarantine.
  public static let quarantinedMedia = StoredStream(
    .quarantinedMedia, storedName: "quarantined_media", writers: .quarantinedMedia,
    sequence: "quarantined_media_id_seq",
    tables: tables("quarantined_media_changes"), missed: missedQuarantinedMedia)

  @Sendable
  private static func missedQuarantinedMedia(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      """
      SELECT stream_id::bigint, COALESCE(origin, ''), media_id, quarantined FROM quarantined_media_changes
      WHERE \(bounds("stream_id", from, to)) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, origin, media, isQuarantined) = try row.decode(Int64.self, Text.self, Text.self, Bool.self)
      let changed = QuarantinedMediaRow(origin: origin, mediaID: media, isQuarantined: isQuarantined)
      return (id, .quarantinedMedia(changed))
    }
  }
}
