import MatrixPrimitives
import Postgres

/// A change of a user's subscription to a thread.
public struct ThreadSubscriptionChange: Sendable {
  /// The place of the change in the stream.
  public let streamID: Int64
  /// The room.
  public let room: RoomID
  /// The thread's first event.
  public let root: EventID
  /// Whether the user follows the thread.
  public let isSubscribed: Bool
  /// Whether the client subscribed by itself.
  public let isAutomatic: Bool
}

extension SyncStore {
  /// Reads the newest changes of a user's subscriptions to threads between two points, oldest first.
  ///
  /// - Parameter limit: the greatest number of changes; older ones are left out.
  public func threadSubscriptions(
    of user: UserID, after: Int64, upTo: Int64, limit: Int
  ) async throws -> [ThreadSubscriptionChange] {
    guard after < upTo, limit > 0 else { return [] }
    let rows = try await database.run(
      """
      SELECT stream_id::bigint, room_id, event_id, subscribed, automatic FROM thread_subscriptions
      WHERE user_id = \(user.rawValue) AND stream_id > \(after)::bigint AND stream_id <= \(upTo)::bigint
      ORDER BY stream_id DESC LIMIT \(Int64(limit))::bigint
      """)
    return try rows.map { row in
      let (id, room, root, subscribed, automatic) = try row.decode(
        Int64.self, Text.self, Text.self, Bool.self, Bool.self)
      return ThreadSubscriptionChange(
        streamID: id, room: RoomID(unchecked: room), root: EventID(unchecked: root), isSubscribed: subscribed,
        isAutomatic: automatic)
    }.reversed()
  }
}
