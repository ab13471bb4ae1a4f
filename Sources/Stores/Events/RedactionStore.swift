import MatrixEvents
import MatrixPrimitives
import Postgres

/// The table `redactions`, and the removal of redacted events' content from the tables that have it.
public final class RedactionStore: Sendable {
  /// A redaction whose target has not been looked at yet.
  public struct Pending: Sendable {
    /// The redaction.
    public let eventID: EventID
    /// The event that it redacts, if it may.
    public let target: EventID
  }

  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Lists redactions that came before a time, oldest first, and have not been dealt with.
  ///
  /// - Parameter time: in milliseconds since 1970.
  public func pending(before time: Int64, limit: Int) async throws -> [Pending] {
    let found = try await database.run(
      """
      SELECT event_id, redacts FROM redactions
      WHERE NOT have_censored AND received_ts <= \(time)::bigint ORDER BY received_ts LIMIT \(Int64(limit))::bigint
      """)
    return try found.map { row in
      let (event, target) = try row.decode(Text.self, Text.self)
      return Pending(eventID: EventID(unchecked: event), target: EventID(unchecked: target))
    }
  }

  /// Replaces stored events by their redacted forms, and notes that redactions are dealt with.
  public func finish(_ redactions: [Pending], replacing events: [Event]) async throws {
    let ids = events.map(\.eventID.rawValue)
    try await database.transaction("censor redactions") { txn in
      if !events.isEmpty {
        txn.enqueue(
          """
          UPDATE event_json AS j SET json = q.json
          FROM unnest(\(ids)::text[], \(events.map { SQLText(bytes: Array($0.json.raw)) })::text[]) AS q(event_id, json)
          WHERE j.event_id = q.event_id
          """)
        txn.enqueue("DELETE FROM event_search WHERE event_id = ANY(\(ids)::text[])")
      }
      txn.enqueue(
        "UPDATE redactions SET have_censored = true WHERE event_id = ANY(\(redactions.map(\.eventID.rawValue))::text[])"
      )
    }
  }
}
