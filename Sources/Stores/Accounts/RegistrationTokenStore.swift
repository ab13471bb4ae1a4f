import MatrixPrimitives
import Postgres

/// Counts the uses of registration tokens (`registration_tokens`).
public final class RegistrationTokenStore: Sendable {
  private let database: PostgresClient

  init(database: PostgresClient) { self.database = database }

  /// Tells whether a token could be used now.
  public func isValid(_ token: String, nowMilliseconds: Int64) async throws -> Bool {
    let rows = try await database.read(
      """
      SELECT 1 FROM registration_tokens
      WHERE token = \(token) AND (uses_allowed IS NULL OR pending + completed < uses_allowed)
        AND (expiry_time IS NULL OR expiry_time > \(nowMilliseconds)::bigint)
      """)
    return !rows.isEmpty
  }

  /// Reserves one use for a registration that is under way.
  ///
  /// - Returns: false when the token is unknown, expired or used up; nothing is counted then.
  public func reserve(_ token: String, nowMilliseconds: Int64) async throws -> Bool {
    let rows = try await database.read(
      """
      UPDATE registration_tokens SET pending = pending + 1
      WHERE token = \(token) AND (uses_allowed IS NULL OR pending + completed < uses_allowed)
        AND (expiry_time IS NULL OR expiry_time > \(nowMilliseconds)::bigint)
      RETURNING 1
      """)
    return !rows.isEmpty
  }

  /// Turns a reservation into a use, once the account exists.
  public func complete(_ token: String) async throws {
    _ = try await database.read(
      """
      UPDATE registration_tokens SET pending = greatest(pending - 1, 0), completed = completed + 1
      WHERE token = \(token)
      """)
  }
}
