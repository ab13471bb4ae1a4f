import MatrixPrimitives
import Postgres
import StorageEngine

/// The counts of what users have not read, from `event_push_actions`, its summary `event_push_summary`, and receipts.
///
/// The summary of a thread is used only when it was made with the receipt that is the newest now; then only the actions after
/// the last rotation are counted on top. Otherwise all actions after the receipt are counted. Without a receipt, everything
/// since the user's join counts. (Observed on Synapse's tables.)
public final class NotificationCountStore: Sendable {
  private struct Key: Hashable, Sendable {
    let user: UserID
    let room: RoomID
  }

  /// Counts as they were at a position of the events and of the receipts; they hold until something comes after, and
  /// not for long, since summing up may correct them.
  private struct Counted: Sendable {
    let counts: RoomNotificationCounts
    let event: Int64
    let receipt: Int64
    let time = ContinuousClock.now
  }

  private static let lifetime = Duration.seconds(60)

  let database: PostgresClient
  private let events: EventStore
  private let receipts: ReceiptStore
  private let known: Cache<Key, Counted>

  init(_ context: StoreContext, events: EventStore, receipts: ReceiptStore) {
    database = context.database
    self.events = events
    self.receipts = receipts
    known = context.caches.cache("get_unread_event_push_actions_by_room_for_user", byteBudget: 4 << 20) {
      256 + $1.counts.threads.count * 128
    }
    for function in ["ph_cache_fake", "dr_cache_fake"] {
      context.caches.register(function) { [known] _ in known.invalidateAll() }
    }
  }

  /// Forgets all counts, as after a purge.
  func invalidateAll() { known.invalidateAll() }

  /// Returns the counts of rooms that a user has joined, in one statement for those that are not known; rooms without unread events may be
  /// missing.
  public func counts(of user: UserID, in rooms: [RoomID]) async throws -> [RoomID: RoomNotificationCounts] {
    var counts: [RoomID: RoomNotificationCounts] = [:]
    var missing: [RoomID] = []
    for room in rooms {
      if let counted = known.peek(Key(user: user, room: room)), isCurrent(counted, user, room) {
        counts[room] = counted.counts
      } else {
        missing.append(room)
      }
    }
    guard !missing.isEmpty else { return counts }
    // The positions are read before the counts, which may thus be newer than they claim, never older.
    let (event, receipt) = (events.ids.currentToken, receipts.writer.ids.currentToken)
    let loaded = try await load(user, missing)
    for room in missing {
      let found = loaded[room] ?? RoomNotificationCounts()
      known.insert(Key(user: user, room: room), Counted(counts: found, event: event, receipt: receipt))
      counts[room] = found
    }
    return counts
  }

  private func isCurrent(_ counted: Counted, _ user: UserID, _ room: RoomID) -> Bool {
    guard ContinuousClock.now - counted.time < Self.lifetime,
      !events.roomChanges.hasChanged(room.rawValue, since: counted.event),
      let newer = receipts.recent.rows(of: room, after: counted.receipt)
    else { return false }
    return !newer.contains { $0.row.user == user }
  }

  private func load(_ user: UserID, _ rooms: [RoomID]) async throws -> [RoomID: RoomNotificationCounts] {
    let rows = try await database.run(
      Self.positions(user.rawValue, rooms.map(\.rawValue)) + Self.summaries(user.rawValue) + Self.total(user.rawValue))
    var counts: [RoomID: RoomNotificationCounts] = [:]
    for row in rows {
      let (room, thread, notifications, highlights, unread) = try row.decode(
        Text.self, Text.self, Int.self, Int.self, Int.self)
      var entry = NotificationCounts()
      (entry.notifications, entry.highlights, entry.unread) = (notifications, highlights, unread)
      // Threads that were read completely are not there for clients.
      guard entry != NotificationCounts() else { continue }
      if thread == "main" {
        counts[RoomID(unchecked: room), default: .init()].main = entry
      } else {
        counts[RoomID(unchecked: room), default: .init()].threads[thread] = entry
      }
    }
    return counts
  }

  /// Returns the counts of one room.
  public func counts(of user: UserID, in room: RoomID) async throws -> RoomNotificationCounts {
    try await counts(of: user, in: [room])[room] ?? RoomNotificationCounts()
  }

  /// Returns the queries `base` (how far each room is read by receipts that cover all threads, else the join) and
  /// `thread_read` (threads that are read further).
  private static func positions(_ user: Text, _ rooms: [Text]) -> SQL {
    """
    WITH base AS (
      SELECT m.room_id, COALESCE((
          SELECT MAX(COALESCE(r.event_stream_ordering, e.stream_ordering))
          FROM receipts_linearized AS r
          LEFT JOIN events AS e ON r.event_stream_ordering IS NULL AND e.event_id = r.event_id
          WHERE r.room_id = m.room_id AND r.user_id = \(unseen: user) AND r.thread_id IS NULL
            AND r.receipt_type IN ('m.read', 'm.read.private')
        ), m.event_stream_ordering, 0) AS pos
      FROM local_current_membership AS m
      WHERE m.user_id = \(unseen: user) AND m.room_id = ANY(\(unseen: rooms))
    ), thread_read AS (
      SELECT r.room_id, r.thread_id, MAX(r.event_stream_ordering) AS pos
      FROM base JOIN receipts_linearized AS r ON r.room_id = base.room_id
      WHERE r.user_id = \(unseen: user) AND r.thread_id IS NOT NULL AND r.event_stream_ordering > base.pos
        AND r.receipt_type IN ('m.read', 'm.read.private')
      GROUP BY r.room_id, r.thread_id
    )
    """
  }

  /// Whether the row `s` of event_push_summary holds for the newest receipts, `t` being how far its thread is read.
  ///
  /// A row without a receipt holds until one comes that summing up has not yet looked at.
  private static let isValid: SQL = """
    CASE WHEN s.last_receipt_stream_ordering IS NOT NULL THEN s.last_receipt_stream_ordering = COALESCE(t.pos, base.pos)
    ELSE s.stream_ordering > COALESCE(t.pos, base.pos) AND NOT EXISTS (
      SELECT FROM receipts_linearized AS r
      WHERE r.room_id = s.room_id AND r.user_id = s.user_id AND (r.thread_id IS NULL OR r.thread_id = s.thread_id)
        AND r.stream_id > (SELECT stream_id FROM event_push_summary_last_receipt_stream_id)
        AND r.receipt_type IN ('m.read', 'm.read.private')
    ) END
    """

  /// Returns the query `summary`: the rows of event_push_summary that are valid for the newest receipts.
  private static func summaries(_ user: Text) -> SQL {
    """
    , summary AS (
      SELECT s.room_id, s.thread_id, s.notif_count, COALESCE(s.unread_count, 0) AS unread_count
      FROM base JOIN event_push_summary AS s ON s.room_id = base.room_id
      LEFT JOIN thread_read AS t ON t.room_id = s.room_id AND t.thread_id = s.thread_id
      WHERE s.user_id = \(unseen: user) AND (s.notif_count <> 0 OR COALESCE(s.unread_count, 0) <> 0) AND \(isValid)
    )
    """
  }

  /// Adds what is not summed up. Everything before the last rotation is, so that only what came after it has to be looked at,
  /// unless the sum of a thread is not valid; highlights are never summed up and have an index of their own.
  private static func total(_ user: Text) -> SQL {
    """
    , floor AS (
      SELECT base.room_id, base.pos AS read_to, o.stream_ordering AS rotated_to, CASE WHEN EXISTS (
          SELECT FROM event_push_summary AS s
          LEFT JOIN thread_read AS t ON t.room_id = s.room_id AND t.thread_id = s.thread_id
          WHERE s.user_id = \(unseen: user) AND s.room_id = base.room_id AND NOT \(isValid)
        ) THEN LEAST(base.pos, o.stream_ordering) ELSE o.stream_ordering END AS pos
      FROM base CROSS JOIN event_push_summary_stream_ordering AS o
    ), part AS (
      SELECT s.room_id, s.thread_id, s.notif_count AS notifications, 0 AS highlights, s.unread_count AS unread
      FROM summary AS s
      UNION ALL
      SELECT a.room_id, a.thread_id, COUNT(*) FILTER (WHERE a.notif = 1), 0, COUNT(*) FILTER (WHERE a.unread = 1)
      FROM floor JOIN event_push_actions AS a ON a.room_id = floor.room_id
      LEFT JOIN thread_read AS t ON t.room_id = a.room_id AND t.thread_id = a.thread_id
      LEFT JOIN summary AS s ON s.room_id = a.room_id AND s.thread_id = a.thread_id
      WHERE a.user_id = \(unseen: user) AND a.stream_ordering > floor.pos AND (a.notif = 1 OR a.unread = 1)
        AND a.stream_ordering > CASE WHEN s.thread_id IS NULL THEN COALESCE(t.pos, floor.read_to) ELSE floor.rotated_to END
      GROUP BY a.room_id, a.thread_id
      UNION ALL
      SELECT a.room_id, a.thread_id, 0, COUNT(*), 0
      FROM base JOIN event_push_actions AS a ON a.room_id = base.room_id
      LEFT JOIN thread_read AS t ON t.room_id = a.room_id AND t.thread_id = a.thread_id
      WHERE a.user_id = \(unseen: user) AND a.highlight = 1 AND a.stream_ordering > COALESCE(t.pos, base.pos)
      GROUP BY a.room_id, a.thread_id
    )
    SELECT room_id, thread_id, SUM(notifications)::bigint, SUM(highlights)::bigint, SUM(unread)::bigint
    FROM part GROUP BY room_id, thread_id
    """
  }
}
