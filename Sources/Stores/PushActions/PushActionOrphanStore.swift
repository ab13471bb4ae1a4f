import Postgres

/// The push actions of events that were never stored: finding and removing them.
///
/// Many push actions are written beside their events, by a transaction that is committed just before the events' own. Whoever
/// dies between the two leaves actions whose place in the stream no event has, and never will: places are not given twice.
public final class PushActionOrphanStore: Sendable {
  /// The number of places back to which orphans are looked for: far more than are under way at any time.
  private static let places: Int64 = 2_000

  /// Push actions without an event, whose event may still be under way.
  public struct Suspects: Sendable {
    /// The places in the stream that no event has (yet).
    public let streamOrderings: [Int64]
    /// A transaction that began when any that stores one of their events had begun.
    let laterTransaction: Int64
  }

  private let database: PostgresClient

  /// Makes the store.
  init(_ context: StoreContext) { database = context.database }

  /// Lists push actions that have no event, among the newest.
  ///
  /// - Throws: `PostgresError`.
  public func suspects() async throws -> Suspects {
    let rows = try await database.run(
      """
      WITH last AS (SELECT max(stream_ordering) AS place FROM event_push_actions)
      SELECT p.place, pg_current_xact_id()::text::bigint
      FROM last, generate_series(GREATEST(last.place - \(Self.places)::bigint, 1), last.place) AS p(place)
      WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.stream_ordering = p.place)
        AND EXISTS (SELECT 1 FROM event_push_actions AS a WHERE a.stream_ordering = p.place)
      """)
    let decoded = try rows.map { try $0.decode(Int64.self, Int64.self) }
    return Suspects(streamOrderings: decoded.map(\.0), laterTransaction: decoded.map(\.1).max() ?? 0)
  }

  /// Removes suspects that still have no event, once every transaction that might have stored one has ended.
  ///
  /// - Returns: how many rows were removed; nil when a transaction is still under way, so that the question is to be asked again.
  /// - Throws: `PostgresError`.
  public func remove(_ suspects: Suspects) async throws -> Int? {
    try await database.transaction("remove_orphaned_push_actions", isolation: .readCommitted) { txn in
      // Actions become visible when the events' transaction has a number already, which is therefore the lower one.
      let hasEnded = try txn.query(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= \(suspects.laterTransaction)::bigint")
      guard try hasEnded[0].get(0, as: Bool.self) else { return nil }
      return try txn.execute(
        """
        DELETE FROM event_push_actions AS a
        WHERE a.stream_ordering = ANY(\(suspects.streamOrderings)::bigint[])
          AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.stream_ordering = a.stream_ordering)
        """)
    }
  }
}
