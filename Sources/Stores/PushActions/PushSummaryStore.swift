import MatrixPrimitives
import Postgres
import StorageEngine

/// The sums of old push actions: `event_push_actions` into `event_push_summary`, whose rows ``NotificationCountStore``
/// adds to the actions that came later.
///
/// A row counts a user's unread actions of a thread between `last_receipt_stream_ordering` (how far the user had read; NULL
/// without a receipt) and `event_push_summary_stream_ordering` (how far all actions are summed up). It is ignored by readers
/// once the user has read further, until ``takeReceipts(upTo:limit:serverName:)`` has made it anew. (Observed on Synapse's tables, which
/// either server may go on with.)
public final class PushSummaryStore: Sendable {
  let database: PostgresClient

  /// Id generator of the stream `events`.
  public let eventIDs: StreamIDGenerator
  /// Id generator of the stream `receipts`.
  public let receiptIDs: StreamIDGenerator

  init(_ context: StoreContext) {
    database = context.database
    eventIDs = context.ids[.events]
    receiptIDs = context.ids[.receipts]
  }

  /// Makes the sums of threads anew whose users have read further, and removes the actions that are read.
  ///
  /// Highlights are kept, since `/notifications` lists them.
  /// - Parameters:
  ///   - streamID: id of the last receipt to look at; all up to it must be committed.
  ///   - limit: number of receipts to take at most.
  ///   - serverName: this server's name; only its users have push actions.
  /// - Returns: whether all receipts up to the id have been taken.
  public func takeReceipts(upTo streamID: Int64, limit: Int = 500, serverName: Text) async throws -> Bool {
    try await database.transaction("push summaries: receipts") { txn in
      let last = try Self.number("SELECT stream_id FROM event_push_summary_last_receipt_stream_id", txn) ?? 0
      guard last < streamID else { return true }
      let rows = try txn.query(
        """
        SELECT stream_id, user_id, room_id FROM receipts_linearized
        WHERE stream_id > \(last)::bigint AND stream_id <= \(streamID)::bigint
        ORDER BY stream_id LIMIT \(limit)::bigint
        """)
      var pairs: (users: [Text], rooms: [Text]) = ([], [])
      var reached = last
      for row in rows {
        let (id, user, room) = try row.decode(Int64.self, Text.self, Text.self)
        reached = id
        guard UserID(unchecked: user).serverName == serverName else { continue }
        pairs.users.append(user)
        pairs.rooms.append(room)
      }
      let isDone = rows.count < limit
      if !pairs.users.isEmpty { txn.enqueue(Self.readFurther(pairs.users, pairs.rooms)) }
      txn.enqueue(
        "UPDATE event_push_summary_last_receipt_stream_id SET stream_id = \(isDone ? streamID : reached)::bigint")
      return isDone
    }
  }

  /// Adds actions to the sums.
  ///
  /// - Parameters:
  ///   - streamOrdering: position of the last event to look at; all up to it must be committed.
  ///   - limit: number of actions to add at least, when there are so many, before a further call is asked for.
  /// - Returns: whether all actions up to the position have been added.
  public func sumUp(to streamOrdering: Int64, limit: Int = 10_000) async throws -> Bool {
    try await database.transaction("push summaries: actions") { txn in
      let last = try Self.number("SELECT stream_ordering FROM event_push_summary_stream_ordering", txn) ?? 0
      guard last < streamOrdering else { return true }
      let full = try Self.number(
        """
        SELECT stream_ordering FROM event_push_actions WHERE stream_ordering > \(last)::bigint
        ORDER BY stream_ordering LIMIT 1 OFFSET \(limit)::bigint
        """, txn)
      let end = min(full ?? streamOrdering, streamOrdering)
      txn.enqueue(Self.addition(from: last, to: end))
      txn.enqueue("UPDATE event_push_summary_stream_ordering SET stream_ordering = \(end)::bigint")
      return end == streamOrdering
    }
  }

  /// Removes actions that are summed up and before a position, but not highlights.
  ///
  /// - Parameters:
  ///   - streamOrdering: position of the first event whose actions are kept.
  ///   - limit: number of actions to remove at most.
  /// - Returns: whether none are left.
  public func removeSummedUp(before streamOrdering: Int64, limit: Int = 10_000) async throws -> Bool {
    try await database.transaction("push summaries: removal", isolation: .readCommitted) { txn in
      let removed = try txn.execute(
        """
        DELETE FROM event_push_actions WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM event_push_actions
          WHERE highlight = 0 AND stream_ordering < \(streamOrdering)::bigint
            AND stream_ordering <= (SELECT stream_ordering FROM event_push_summary_stream_ordering)
          ORDER BY highlight, stream_ordering LIMIT \(limit)::bigint))
        """)
      return removed < limit
    }
  }

  /// Removes staged actions of events that were never stored.
  ///
  /// - Parameter time: when they were staged at the latest, in milliseconds since 1970.
  public func removeStaged(before time: Int64) async throws {
    try await database.run("DELETE FROM event_push_actions_staging WHERE inserted_ts < \(time)::bigint")
  }

  /// Finds the position of the first event that arrived at a time or later; what lies after the last event when there is none.
  ///
  /// - Parameter time: milliseconds since 1970.
  public func position(at time: Int64) async throws -> Int64 {
    let ends = try await database.run(
      "SELECT min(stream_ordering), max(stream_ordering) FROM events WHERE stream_ordering > 0")
    guard let (first, last) = try ends.first?.decode(Int64?.self, Int64?.self), let first, let last else { return 0 }
    // Events arrive in the order of their positions, and the time of arrival has no index.
    var (low, high, place) = (first, last + 1, last + 1)
    while low < high {
      let middle = low + (high - low) / 2
      let row = try await database.run(
        """
        SELECT stream_ordering, received_ts FROM events WHERE stream_ordering >= \(middle)::bigint
        ORDER BY stream_ordering LIMIT 1
        """
      ).first
      guard let row else {
        high = middle
        continue
      }
      let (found, received) = try row.decode(Int64.self, Int64?.self)
      // Between `middle` and what was found nothing has a place.
      if received ?? 0 >= time { (high, place) = (middle, found) } else { low = found + 1 }
    }
    return place
  }

  private static func number(_ query: SQL, _ txn: Transaction) throws -> Int64? {
    try txn.query(query).first?.get(0, as: Int64.self)
  }
}

// MARK: - Statements

extension PushSummaryStore {
  /// For each thread of some users' rooms that is read further than its sum says: sums up what lies behind the receipt, and
  /// removes what lies before it.
  private static func readFurther(_ users: [Text], _ rooms: [Text]) -> SQL {
    """
    WITH pair AS (
      SELECT DISTINCT q.user_id, q.room_id FROM unnest(\(users)::text[], \(rooms)::text[]) AS q(user_id, room_id)
    ), receipt AS (
      SELECT r.user_id, r.room_id, r.thread_id, max(COALESCE(r.event_stream_ordering, e.stream_ordering)) AS pos
      FROM pair JOIN receipts_linearized AS r USING (user_id, room_id)
      LEFT JOIN events AS e ON r.event_stream_ordering IS NULL AND e.event_id = r.event_id
      WHERE r.receipt_type IN ('m.read', 'm.read.private')
      GROUP BY r.user_id, r.room_id, r.thread_id
    ), thread AS (
      SELECT a.user_id, a.room_id, a.thread_id FROM pair JOIN event_push_actions AS a USING (user_id, room_id)
      UNION SELECT s.user_id, s.room_id, s.thread_id FROM pair JOIN event_push_summary AS s USING (user_id, room_id)
      UNION SELECT r.user_id, r.room_id, r.thread_id FROM receipt AS r WHERE r.thread_id IS NOT NULL
    ), place AS (
      SELECT t.user_id, t.room_id, t.thread_id, max(r.pos) AS pos
      FROM thread AS t JOIN receipt AS r ON r.user_id = t.user_id AND r.room_id = t.room_id
        AND (r.thread_id IS NULL OR r.thread_id = t.thread_id)
      LEFT JOIN event_push_summary AS s ON s.user_id = t.user_id AND s.room_id = t.room_id AND s.thread_id = t.thread_id
      GROUP BY t.user_id, t.room_id, t.thread_id, s.thread_id, s.last_receipt_stream_ordering
      HAVING max(r.pos) IS NOT NULL
        AND (s.thread_id IS NULL OR s.last_receipt_stream_ordering IS DISTINCT FROM max(r.pos))
    ), gone AS (
      DELETE FROM event_push_actions AS a USING place AS p
      WHERE a.user_id = p.user_id AND a.room_id = p.room_id AND a.thread_id = p.thread_id
        AND a.stream_ordering <= p.pos AND a.highlight = 0
    )
    INSERT INTO event_push_summary AS old
      (user_id, room_id, thread_id, notif_count, unread_count, stream_ordering, last_receipt_stream_ordering)
    SELECT p.user_id, p.room_id, p.thread_id, count(*) FILTER (WHERE a.notif = 1), count(*) FILTER (WHERE a.unread = 1),
      o.stream_ordering, p.pos
    FROM place AS p CROSS JOIN event_push_summary_stream_ordering AS o
    LEFT JOIN event_push_actions AS a ON a.user_id = p.user_id AND a.room_id = p.room_id AND a.thread_id = p.thread_id
      AND a.stream_ordering > p.pos AND a.stream_ordering <= o.stream_ordering
    GROUP BY p.user_id, p.room_id, p.thread_id, p.pos, o.stream_ordering
    ON CONFLICT (user_id, room_id, thread_id) DO UPDATE SET
      notif_count = EXCLUDED.notif_count, unread_count = EXCLUDED.unread_count,
      stream_ordering = EXCLUDED.stream_ordering, last_receipt_stream_ordering = EXCLUDED.last_receipt_stream_ordering
    """
  }

  /// Adds the actions between two positions to the sums. A thread without a sum begins at the user's receipt.
  ///
  /// Actions are gathered by thread once and never joined with their threads again: a plan that expects few of them would
  /// compare each action with each thread, and take a second instead of a twentieth.
  private static func addition(from: Int64, to: Int64) -> SQL {
    """
    WITH thread AS MATERIALIZED (
      SELECT a.user_id, a.room_id, a.thread_id, max(a.stream_ordering) AS last,
        array_agg(a.stream_ordering) FILTER (WHERE a.notif = 1) AS notified,
        array_agg(a.stream_ordering) FILTER (WHERE a.unread = 1) AS unread
      FROM event_push_actions AS a
      WHERE a.stream_ordering > \(from)::bigint AND a.stream_ordering <= \(to)::bigint AND (a.notif = 1 OR a.unread = 1)
      GROUP BY a.user_id, a.room_id, a.thread_id
    ), place AS MATERIALIZED (
      SELECT t.*, CASE WHEN s.is_summed_up THEN s.pos ELSE (
        SELECT max(COALESCE(r.event_stream_ordering, e.stream_ordering)) FROM receipts_linearized AS r
        LEFT JOIN events AS e ON r.event_stream_ordering IS NULL AND e.event_id = r.event_id
        WHERE r.user_id = t.user_id AND r.room_id = t.room_id AND r.receipt_type IN ('m.read', 'm.read.private')
          AND (r.thread_id IS NULL OR r.thread_id = t.thread_id)
      ) END AS pos
      FROM thread AS t LEFT JOIN LATERAL (
        SELECT TRUE AS is_summed_up, old.last_receipt_stream_ordering AS pos FROM event_push_summary AS old
        WHERE old.user_id = t.user_id AND old.room_id = t.room_id AND old.thread_id = t.thread_id LIMIT 1
      ) AS s ON TRUE
    )
    INSERT INTO event_push_summary AS old
      (user_id, room_id, thread_id, notif_count, unread_count, stream_ordering, last_receipt_stream_ordering)
    SELECT p.user_id, p.room_id, p.thread_id,
      (SELECT count(*) FROM unnest(p.notified) AS n(pos) WHERE p.pos IS NULL OR n.pos > p.pos),
      (SELECT count(*) FROM unnest(p.unread) AS n(pos) WHERE p.pos IS NULL OR n.pos > p.pos),
      p.last, p.pos
    FROM place AS p WHERE p.pos IS NULL OR p.last > p.pos
    ON CONFLICT (user_id, room_id, thread_id) DO UPDATE SET
      notif_count = old.notif_count + EXCLUDED.notif_count,
      unread_count = COALESCE(old.unread_count, 0) + EXCLUDED.unread_count, stream_ordering = EXCLUDED.stream_ordering
    """
  }
}
