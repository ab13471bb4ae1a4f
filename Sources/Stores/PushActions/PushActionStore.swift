import MatrixEvents
import MatrixPrimitives
import Postgres

/// What the push rules want done about events: `event_push_actions_staging` and `event_push_actions`.
///
/// A creator whose persister is another process stages the actions before it sends the event; the persister moves them. When
/// creator and persister are one process, the actions go along with the event and the staging table is not touched.
public final class PushActionStore: Sendable {
  let database: PostgresClient

  /// Makes the store.
  init(_ context: StoreContext) { database = context.database }

  /// Stages the actions for an event that another process will persist.
  public func stage(_ eventID: EventID, _ actions: [PushAction], now: Int64) async throws {
    guard !actions.isEmpty else { return }
    _ = try await database.run(
      """
      INSERT INTO event_push_actions_staging
        (event_id, user_id, actions, notif, highlight, unread, thread_id, inserted_ts)
      SELECT \(eventID.rawValue), u.user_id, q.actions, q.notif, q.highlight, q.unread, q.thread, \(now)::bigint
      FROM unnest(\(Self.users(of: actions))::text[], \(actions.map(\.stored))::text[],
        \(Self.flags(actions, \.notify))::smallint[], \(Self.flags(actions, \.highlight))::smallint[],
        \(Self.flags(actions, \.unread))::smallint[], \(actions.map(\.threadID))::text[])
        AS q(users, actions, notif, highlight, unread, thread), unnest(q.users::text[]) AS u(user_id)
      """)
  }

  /// Drops staged actions of an event that will not be persisted after all.
  public func unstage(_ eventID: EventID) async throws {
    _ = try await database.run("DELETE FROM event_push_actions_staging WHERE event_id = \(eventID.rawValue)")
  }

  /// The order in which rows are inserted: half of the table's indexes begin with the user, and rows of one user that
  /// come one after the other meet the same pages.
  private static let orderForIndexes: SQL = "ORDER BY user_id, room_id, stream"

  /// The rows of an event for users who want the same of it.
  public struct Rows: Sendable {
    let event: StoredEvent
    /// What the users want.
    public var action: PushAction

    /// Describes rows.
    public init(event: StoredEvent, action: PushAction) {
      self.event = event
      self.action = action
    }
  }

  /// Returns the statement that writes the actions of events.
  public static func insertion(_ rows: [Rows]) -> SQL {
    let actions = rows.map(\.action)
    return """
      INSERT INTO event_push_actions
        (room_id, event_id, user_id, actions, stream_ordering, topological_ordering, notif, highlight, unread, thread_id)
      SELECT q.room_id, q.event_id, u.user_id, q.actions, q.stream, q.depth, q.notif, q.highlight, q.unread, q.thread
      FROM unnest(\(rows.map(\.event.roomID.rawValue))::text[], \(rows.map(\.event.eventID.rawValue))::text[],
        \(users(of: actions))::text[], \(actions.map(\.stored))::text[],
        \(rows.map(\.event.streamOrdering))::bigint[], \(rows.map(\.event.depth))::bigint[],
        \(flags(actions, \.notify))::smallint[], \(flags(actions, \.highlight))::smallint[],
        \(flags(actions, \.unread))::smallint[], \(actions.map(\.threadID))::text[])
        AS q(room_id, event_id, users, actions, stream, depth, notif, highlight, unread, thread),
        unnest(q.users::text[]) AS u(user_id)
      \(orderForIndexes)
      """
  }

  /// Writes the users of each action as an array within the array of all.
  private static func users(of actions: [PushAction]) -> [SQLText] {
    actions.map { SQLText(arrayOf: $0.userIDs.map(\.rawValue)) }
  }

  /// Returns the statement that writes the staged actions of events.
  public static func movement(_ events: [StoredEvent]) -> SQL {
    """
    INSERT INTO event_push_actions
      (room_id, event_id, user_id, actions, stream_ordering, topological_ordering, notif, highlight, unread, thread_id)
    SELECT q.room_id, s.event_id, s.user_id, s.actions, q.stream, q.depth, s.notif, s.highlight, s.unread, s.thread_id
    FROM unnest(\(events.map(\.roomID.rawValue))::text[], \(events.map(\.eventID.rawValue))::text[],
      \(events.map(\.streamOrdering))::bigint[], \(events.map(\.depth))::bigint[]) AS q(room_id, event_id, stream, depth)
    JOIN event_push_actions_staging AS s ON s.event_id = q.event_id
    \(orderForIndexes)
    """
  }

  /// Drops the staged actions of events that are being persisted.
  public func enqueueUnstaging(_ events: [EventID], in txn: Transaction) {
    txn.enqueue("DELETE FROM event_push_actions_staging WHERE event_id = ANY(\(events.map(\.rawValue))::text[])")
  }

  /// Removes the actions at places of the stream.
  public func enqueueRemoval(at places: [Int64], in txn: Transaction) {
    guard !places.isEmpty else { return }
    txn.enqueue("DELETE FROM event_push_actions WHERE stream_ordering = ANY(\(places)::bigint[])")
  }

  /// Removes the actions of events that are being redacted.
  public func enqueueRemoval(_ events: [EventID], roomID: RoomID, in txn: Transaction) {
    guard !events.isEmpty else { return }
    txn.enqueue(
      """
      DELETE FROM event_push_actions
      WHERE room_id = \(roomID.rawValue) AND event_id = ANY(\(events.map(\.rawValue))::text[])
      """)
  }

  private static func flags(_ actions: [PushAction], _ flag: KeyPath<PushAction, Bool>) -> [Int64] {
    actions.map { $0[keyPath: flag] ? 1 : 0 }
  }
}
