import MatrixEvents
import MatrixPrimitives
import Postgres

/// Writes what the push rules want done about events: `event_push_actions_staging` and `event_push_actions`.
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
    _ = try await database.read(
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
    _ = try await database.read("DELETE FROM event_push_actions_staging WHERE event_id = \(eventID.rawValue)")
  }

  /// Sorts rows that are inserted: half of the table's indexes begin with the user, and rows of one user that come one after
  /// the other meet the same pages.
  private static let orderForIndexes: SQL = "ORDER BY user_id, room_id, stream"

  /// Holds the number of rows from which on a connection of their own is worth the two round trips that it costs, and two are.
  private static let rowsWorthConnection = 8
  private static let rowsWorthTwo = 64

  /// Writes the actions of events that are being persisted.
  ///
  /// - Parameters:
  ///   - actions: the events with what is to be done about each.
  ///   - txn: the transaction that writes the events.
  ///   - mayGoBeside: whether many rows may be written by other transactions at the same time (their indexes cost more than the
  ///     rest of the event). What a crash between the commits leaves is found by ``PushActionOrphanStore``.
  public func enqueue(
    _ actions: [(event: StoredEvent, actions: [PushAction])], in txn: Transaction, mayGoBeside: Bool
  ) {
    let rows = actions.flatMap { entry in entry.actions.map { Rows(event: entry.event, action: $0) } }
    guard !rows.isEmpty else { return }
    removeEarlier(actions.map(\.event), in: txn)
    let count = rows.reduce(0) { $0 + $1.action.userIDs.count }
    guard mayGoBeside, count >= Self.rowsWorthConnection else { return txn.enqueue(Self.insertion(rows)) }
    guard count >= Self.rowsWorthTwo else { return txn.runBeside(Self.insertion(rows)) }
    for part in Self.halves(rows) where !part.isEmpty { txn.runBeside(Self.insertion(part)) }
  }

  /// Holds the rows of an event for users who want the same of it.
  private struct Rows {
    let event: StoredEvent
    var action: PushAction
  }

  /// Parts rows by their users, so that both halves touch different pages of most indexes.
  private static func halves(_ rows: [Rows]) -> [[Rows]] {
    guard let middle = middle(of: rows.map(\.action.userIDs)) else { return [rows] }
    var (lower, upper): ([Rows], [Rows]) = ([], [])
    for var entry in rows {
      var users = entry.action.userIDs
      let edge = users.partition { !($0 < middle) }
      entry.action.userIDs = Array(users[..<edge])
      if edge > 0 { lower.append(entry) }
      entry.action.userIDs = Array(users[edge...])
      if edge < users.count { upper.append(entry) }
    }
    return [lower, upper]
  }

  /// Holds the number of users among whom the middle one is sought.
  private static let middleSamples = 128

  /// Finds a user that about half of the rows come before, whoever the users of the single rooms are; nil when there are none.
  static func middle(of users: [[UserID]]) -> UserID? {
    let step = max(1, users.reduce(0) { $0 + $1.count } / middleSamples)
    var samples: [UserID] = []
    var next = 0
    for list in users {
      while next < list.count {
        samples.append(list[next])
        next += step
      }
      next -= list.count
    }
    samples.sort()
    return samples.isEmpty ? nil : samples[samples.count / 2]
  }

  private static func insertion(_ rows: [Rows]) -> SQL {
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

  /// Holds the number of events from which on their staged actions, of which it is not known how many there are, are likely
  /// worth a connection.
  private static let eventsWorthConnection = 4

  /// Moves staged actions of events that are being persisted, and clears the staging table of `all`.
  ///
  /// - Parameter mayGoBeside: see ``enqueue(_:in:mayGoBeside:)``.
  public func enqueueMove(
    _ events: [StoredEvent], clearing all: [EventID], in txn: Transaction, mayGoBeside: Bool
  ) {
    if !events.isEmpty {
      removeEarlier(events, in: txn)
      let rows: SQL = """
        INSERT INTO event_push_actions
          (room_id, event_id, user_id, actions, stream_ordering, topological_ordering, notif, highlight, unread, thread_id)
        SELECT q.room_id, s.event_id, s.user_id, s.actions, q.stream, q.depth, s.notif, s.highlight, s.unread, s.thread_id
        FROM unnest(\(events.map(\.roomID.rawValue))::text[], \(events.map(\.eventID.rawValue))::text[],
          \(events.map(\.streamOrdering))::bigint[], \(events.map(\.depth))::bigint[]) AS q(room_id, event_id, stream, depth)
        JOIN event_push_actions_staging AS s ON s.event_id = q.event_id
        \(Self.orderForIndexes)
        """
      let goesBeside = mayGoBeside && events.count >= Self.eventsWorthConnection
      if goesBeside { txn.runBeside(rows) } else { txn.enqueue(rows) }
    }
    if !all.isEmpty {
      txn.enqueue(
        "DELETE FROM event_push_actions_staging WHERE event_id = ANY(\(all.map(\.rawValue))::text[])")
    }
  }

  /// Removes what an attempt before, which was about to store the same events, may have left.
  private func removeEarlier(_ events: [StoredEvent], in txn: Transaction) {
    guard txn.isRepeated else { return }
    txn.enqueue(
      "DELETE FROM event_push_actions WHERE stream_ordering = ANY(\(events.map(\.streamOrdering))::bigint[])")
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
