import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Threads that users follow.
  public static let threadSubscriptions = StoredStream(
    .threadSubscriptions, storedName: "thread_subscriptions", writers: .threadSubscriptions,
    sequence: "thread_subscriptions_sequence",
    tables: tables("thread_subscriptions"), missed: missedThreadSubscriptions)

  @Sendable
  private static func missedThreadSubscriptions(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      """
      SELECT stream_id, user_id, room_id, event_id FROM thread_subscriptions
      WHERE \(bounds("stream_id", from, to)) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, room, event) = try row.decode(Int64.self, Text.self, Text.self, Text.self)
      let changed = ThreadSubscriptionRow(
        userID: UserID(unchecked: user), roomID: RoomID(unchecked: room), eventID: EventID(unchecked: event))
      return (id, .threadSubscription(changed))
    }
  }
}
