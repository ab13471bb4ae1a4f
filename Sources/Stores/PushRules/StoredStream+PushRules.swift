import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Changes of push rules.
  public static let pushRules = StoredStream(
    .pushRules, storedName: "push_rules_stream", writers: .pushRules, sequence: "push_rules_stream_sequence",
    tables: tables("push_rules_stream"), missed: missedPushRules)

  @Sendable
  private static func missedPushRules(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      "SELECT stream_id, user_id FROM push_rules_stream WHERE \(bounds("stream_id", from, to)) \(tail(limit))")
    return try rows.map { (try $0.get(0), .pushRules(UserID(unchecked: try $0.get(1)))) }
  }
}
