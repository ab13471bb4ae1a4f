import MatrixEvents
import MatrixPrimitives
import Postgres

/// What a transaction that writes events writes about redactions.
extension RedactionStore {
  /// Writes at what redactions aim.
  package static func enqueue(_ redactions: [NewEvent], now: Int64, in txn: Transaction) {
    guard !redactions.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO redactions (event_id, redacts, received_ts, recheck)
      SELECT q.id, q.target, \(now)::bigint, q.recheck
      FROM unnest(\(redactions.map(\.id))::text[], \(redactions.map { $0.event.redacts?.rawValue ?? "" })::text[],
        \(redactions.map { $0.item.metadata.recheckRedaction ?? false })::boolean[]) AS q(id, target, recheck)
      ON CONFLICT (event_id) DO UPDATE
      SET redacts = EXCLUDED.redacts, received_ts = EXCLUDED.received_ts, recheck = EXCLUDED.recheck
      """)
  }

  /// Has redactions that came before the events at which they aim applied to the stored JSON later on.
  package static func enqueueCensoring(of events: [Text], in txn: Transaction) {
    guard !events.isEmpty else { return }
    txn.enqueue("UPDATE redactions SET have_censored = FALSE WHERE redacts = ANY(\(events)::text[])")
  }
}
