import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Changes of profiles.
  public static let profileUpdates = StoredStream(
    .profileUpdates, storedName: "profile_updates", writers: .events, sequence: "profile_updates_sequence",
    tables: tables("profile_updates"), missed: missedProfileUpdates)

  @Sendable
  private static func missedProfileUpdates(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      """
      SELECT stream_id, user_id, action, affected_fields::text FROM profile_updates
      WHERE \(bounds("stream_id", from, to)) AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, action, fields) = try row.decode(Int64.self, Text.self, Text.self, SQLText?.self)
      let names = try fields.map { try JSONValue.parse($0.bytes).elements?.compactMap(\.string) ?? [] }
      return (
        id, .profileUpdate(ProfileUpdateRow(userID: UserID(unchecked: user), action: action, affectedFields: names))
      )
    }
  }
}
