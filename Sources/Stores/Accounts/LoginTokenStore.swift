import MatrixPrimitives
import Postgres

/// Tokens that are good for one login (`login_tokens`).
public final class LoginTokenStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Stores a token.
  ///
  /// - Parameter provider: the session of single sign-on by which the user has logged in; nil for none.
  public func add(
    _ token: Text, for user: UserID, expiryMilliseconds: Int64, provider: AuthProviderSession? = nil
  ) async throws {
    _ = try await database.run(
      """
      INSERT INTO login_tokens (token, user_id, expiry_ts, auth_provider_id, auth_provider_session_id)
      VALUES (\(token), \(user.rawValue), \(expiryMilliseconds), \(provider?.providerID), \(provider?.sessionID))
      """)
  }

  /// Uses a token up. Of several requests with the same token one gets the user.
  ///
  /// - Returns: nil when the token is unknown, used or too old.
  public func use(
    _ token: Text, nowMilliseconds: Int64
  ) async throws -> (user: UserID, provider: AuthProviderSession?)? {
    let rows = try await database.run(
      """
      UPDATE login_tokens SET used_ts = \(nowMilliseconds)
      WHERE token = \(token) AND used_ts IS NULL AND expiry_ts >= \(nowMilliseconds)
      RETURNING user_id, auth_provider_id, auth_provider_session_id
      """)
    guard let row = rows.first else { return nil }
    let (user, provider, session) = try row.decode(Text.self, Text?.self, Text?.self)
    let origin = provider.flatMap { provider in
      session.map { AuthProviderSession(providerID: provider, sessionID: $0) }
    }
    return (UserID(unchecked: user), origin)
  }

  /// Returns whether a token that was used is still there. What ends the sessions of its user deletes it.
  public func isKept(_ token: Text) async throws -> Bool {
    try await !database.run("SELECT 1 FROM login_tokens WHERE token = \(token)").isEmpty
  }

  /// Deletes a user's tokens, in a transaction that has locked the user.
  static func removeAll(of user: UserID, in txn: Transaction) {
    txn.enqueue("DELETE FROM login_tokens WHERE user_id = \(user.rawValue)")
  }

  /// Deletes tokens that have been too old for five minutes (as Synapse).
  public func prune(nowMilliseconds: Int64) async throws {
    _ = try await database.run("DELETE FROM login_tokens WHERE expiry_ts <= \(nowMilliseconds - 300_000)")
  }
}
