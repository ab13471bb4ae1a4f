import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Changes of pushers.
  public static let pushers = StoredStream(
    .pushers, storedName: "pushers", writers: .pushers, sequence: "pushers_sequence",
    tables: [("pushers", "id", "instance_name"), ("deleted_pushers", "stream_id", "instance_name")],
    missed: missedPushers)

  @Sendable
  private static func missedPushers(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      """
      SELECT id, user_name, app_id, pushkey, false FROM pushers WHERE \(bounds("id", from, to))
      UNION ALL
      SELECT stream_id, user_id, app_id, pushkey, true FROM deleted_pushers WHERE \(bounds("stream_id", from, to))
      \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, app, key, deleted) = try row.decode(
        Int64.self, Text.self, Text.self, Text.self, Bool.self)
      return (id, .pusher(PusherRow(userID: UserID(unchecked: user), appID: app, pushKey: key, isDeleted: deleted)))
    }
  }
}
