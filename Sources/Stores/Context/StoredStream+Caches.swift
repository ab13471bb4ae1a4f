import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Cache invalidations; every process writes them.
  public static let caches = StoredStream(
    .caches, storedName: nil, writers: nil, sequence: "cache_invalidation_stream_seq",
    tables: tables("cache_invalidation_stream_by_instance"), missed: missedCaches)

  @Sendable
  private static func missedCaches(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    // Dropping too much does no harm, so rows beyond `to` are taken along.
    let rows = try await database.run(
      """
      SELECT stream_id, cache_func, keys, invalidation_ts FROM cache_invalidation_stream_by_instance
      WHERE stream_id > \(from)::bigint AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, function, keys, time) = try row.decode(Int64.self, Text.self, [Text]?.self, Int64?.self)
      return (id, .caches(CachesRow(cacheFunction: function, keys: keys, invalidationTS: time)))
    }
  }
}
