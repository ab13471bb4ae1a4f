import MatrixPrimitives
import Postgres

/// Tokens by which others learn from this server who a user is (`open_id_tokens`).
public final class OpenIDTokenStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Stores a token.
  public func add(_ token: Text, for user: UserID, expiryMilliseconds: Int64) async throws {
    _ = try await database.run(
      """
      INSERT INTO open_id_tokens (token, ts_valid_until_ms, user_id)
      VALUES (\(token), \(expiryMilliseconds), \(user.rawValue))
      """)
  }

  /// Finds whose a token is; nil for one that is unknown or too old.
  public func user(of token: Text, nowMilliseconds: Int64) async throws -> UserID? {
    try await database.run(
      "SELECT user_id FROM open_id_tokens WHERE token = \(token) AND ts_valid_until_ms >= \(nowMilliseconds)"
    ).first.map { UserID(unchecked: try $0.get(0, as: Text.self)) }
  }

  /// Deletes tokens that are too old.
  public func prune(nowMilliseconds: Int64) async throws {
    _ = try await database.run("DELETE FROM open_id_tokens WHERE ts_valid_until_ms < \(nowMilliseconds)")
  }
}
