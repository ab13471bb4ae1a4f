import MatrixPrimitives
import Postgres
import Replication

/// The threads that users follow, and those that they do no longer (`thread_subscriptions`, MSC4306).
///
/// Only a writer of the stream may call the writing functions.
public final class ThreadSubscriptionStore: Sendable {
  /// The place of an event in its room, both by the stream and by the room's history.
  public struct Place: Sendable, Hashable {
    /// The stream ordering; negative for events that came from before this server joined.
    public let stream: Int64
    /// The depth.
    public let topological: Int64

    /// Names a place.
    public init(stream: Int64, topological: Int64) {
      self.stream = stream
      self.topological = topological
    }
  }

  /// What came of a subscription.
  public enum Outcome: Sendable, Hashable {
    /// It was stored.
    case stored
    /// There was one already that says as much.
    case unchanged
    /// The user has ended a subscription after the event that would cause an automatic one.
    case overtaken
  }

  /// A subscription of a user, or its end, as it was changed last.
  public struct Change: Sendable, Hashable {
    /// The position of the change in the stream.
    public let streamID: Int64
    /// The room.
    public let roomID: RoomID
    /// The event with which the thread begins.
    public let root: EventID
    /// Whether the client subscribed by itself; nil when the subscription has ended.
    public let isAutomatic: Bool?
  }

  let database: PostgresClient
  let writer: StreamWriter

  init(_ context: StoreContext) {
    database = context.database
    writer = StreamWriter(.threadSubscriptions, context.ids[.threadSubscriptions], context)
  }

  // MARK: Reading

  /// Reads whether a user's subscription of a thread is an automatic one; nil without a subscription.
  public func isAutomatic(_ user: UserID, _ room: RoomID, _ root: EventID) async throws -> Bool? {
    let rows = try await database.run(
      """
      SELECT automatic FROM thread_subscriptions
      WHERE user_id = \(user.rawValue) AND room_id = \(room.rawValue) AND event_id = \(root.rawValue) AND subscribed
      """)
    return try rows.first?.get(0, as: Bool.self)
  }

  /// Reads who follows a thread. Nothing is remembered, so that a reply counts for those who followed just before by another process.
  public func followers(of root: EventID, in room: RoomID) async throws -> Set<UserID> {
    let rows = try await database.run(
      """
      SELECT user_id FROM thread_subscriptions
      WHERE room_id = \(room.rawValue) AND event_id = \(root.rawValue) AND subscribed
      """)
    return Set(try rows.map { UserID(unchecked: try $0.get(0, as: Text.self)) })
  }

  /// Reads a user's newest changes between two positions, oldest first.
  ///
  /// - Parameters:
  ///   - after: the position after which changes count.
  ///   - upTo: the last position that counts; nil for all that is stored.
  ///   - limit: the greatest number; the oldest are left out.
  public func changes(of user: UserID, after: Int64, upTo: Int64?, limit: Int) async throws -> [Change] {
    let rows = try await database.run(
      """
      SELECT stream_id, room_id, event_id, CASE WHEN subscribed THEN automatic END FROM thread_subscriptions
      WHERE user_id = \(user.rawValue) AND stream_id > \(after)::bigint AND stream_id <= \(upTo ?? .max)::bigint
      ORDER BY stream_id DESC LIMIT \(Int64(limit))::bigint
      """)
    return try rows.reversed().map { row in
      let (id, room, root, isAutomatic) = try row.decode(Int64.self, Text.self, Text.self, Bool?.self)
      return Change(
        streamID: id, roomID: RoomID(unchecked: room), root: EventID(unchecked: root), isAutomatic: isAutomatic)
    }
  }

  // MARK: Writing

  /// Subscribes a user to a thread.
  ///
  /// A subscription by hand replaces an automatic one, never the other way round.
  /// - Parameter cause: the place of the event because of which the client subscribes by itself; nil for a subscription by hand.
  public func subscribe(_ user: UserID, _ room: RoomID, _ root: EventID, cause: Place?) async throws -> Outcome {
    try await writing(user, room, root) { txn, streamID, instance in
      // A row that two requests insert at once is inserted by one of them, and then found by the other.
      let inserted = try txn.execute(
        """
        INSERT INTO thread_subscriptions (stream_id, instance_name, room_id, event_id, user_id, subscribed, automatic)
        VALUES (\(streamID)::bigint, \(instance), \(room.rawValue), \(root.rawValue), \(user.rawValue), true,
          \(cause != nil)::boolean)
        ON CONFLICT (room_id, event_id, user_id) DO NOTHING
        """)
      if inserted > 0 { return .stored }
      guard let known = try Self.locked(user, room, root, in: txn) else { return .unchanged }
      if known.isSubscribed, !known.isAutomatic || cause != nil { return .unchanged }
      if !known.isSubscribed, let cause, let ended = known.ended, Self.covers(ended, cause) { return .overtaken }
      txn.enqueue(
        """
        UPDATE thread_subscriptions SET subscribed = true, stream_id = \(streamID)::bigint, instance_name = \(instance),
          automatic = \(cause != nil)::boolean, unsubscribed_at_stream_ordering = NULL,
          unsubscribed_at_topological_ordering = NULL
        WHERE room_id = \(room.rawValue) AND event_id = \(root.rawValue) AND user_id = \(user.rawValue)
        """)
      return .stored
    }
  }

  /// Ends a user's subscription of a thread; that there is none is no error.
  ///
  /// - Returns: ``Outcome/stored`` or ``Outcome/unchanged``.
  @discardableResult
  public func unsubscribe(_ user: UserID, _ room: RoomID, _ root: EventID) async throws -> Outcome {
    try await writing(user, room, root) { txn, streamID, instance in
      let ended = try txn.execute(
        """
        UPDATE thread_subscriptions SET subscribed = false, stream_id = \(streamID)::bigint,
          instance_name = \(instance),
          unsubscribed_at_stream_ordering = (SELECT max(stream_ordering) FROM events WHERE room_id = \(room.rawValue)),
          unsubscribed_at_topological_ordering =
            (SELECT max(topological_ordering) FROM events WHERE room_id = \(room.rawValue))
        WHERE room_id = \(room.rawValue) AND event_id = \(root.rawValue) AND user_id = \(user.rawValue) AND subscribed
        """)
      return ended > 0 ? .stored : .unchanged
    }
  }

  private struct Known {
    let isSubscribed: Bool
    let isAutomatic: Bool
    /// Where the room was when the subscription ended.
    let ended: Place?
  }

  private static func locked(_ user: UserID, _ room: RoomID, _ root: EventID, in txn: Transaction) throws -> Known? {
    let rows = try txn.query(
      """
      SELECT subscribed, automatic, unsubscribed_at_stream_ordering, unsubscribed_at_topological_ordering
      FROM thread_subscriptions
      WHERE room_id = \(room.rawValue) AND event_id = \(root.rawValue) AND user_id = \(user.rawValue) FOR UPDATE
      """)
    return try rows.first.map { row in
      let (isSubscribed, isAutomatic, stream, topological) = try row.decode(
        Bool.self, Bool.self, Int64?.self, Int64?.self)
      let ended = stream.flatMap { stream in topological.map { Place(stream: stream, topological: $0) } }
      return Known(isSubscribed: isSubscribed, isAutomatic: isAutomatic, ended: ended)
    }
  }

  /// Returns whether a user who ended a subscription at one place knew of an event at another; events from before the server joined are
  /// compared by the room's history.
  private static func covers(_ ended: Place, _ cause: Place) -> Bool {
    cause.stream < 0 ? ended.topological >= cause.topological : ended.stream >= 0 && ended.stream >= cause.stream
  }

  private func writing(
    _ user: UserID, _ room: RoomID, _ root: EventID,
    _ body: @escaping @Sendable (Transaction, _ streamID: Int64, _ instance: Text) throws -> Outcome
  ) async throws -> Outcome {
    let instance = writer.instanceName
    return try await writer.write { [database] streamID -> (result: Outcome, rows: [StreamRow]) in
      let outcome = try await database.transaction("write_thread_subscription", isolation: .readCommitted) {
        try body($0, streamID, instance)
      }
      guard outcome == .stored else { return (outcome, []) }
      return (outcome, [.threadSubscription(ThreadSubscriptionRow(userID: user, roomID: room, eventID: root))])
    }
  }
}
