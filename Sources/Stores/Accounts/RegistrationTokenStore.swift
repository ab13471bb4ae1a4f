import MatrixPrimitives
import Postgres

/// The uses of registration tokens (`registration_tokens`).
public final class RegistrationTokenStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Returns whether a token could be used now.
  public func isValid(_ token: Text, nowMilliseconds: Int64) async throws -> Bool {
    let rows = try await database.run(
      """
      SELECT 1 FROM registration_tokens
      WHERE token = \(token) AND (uses_allowed IS NULL OR pending + completed < uses_allowed)
        AND (expiry_time IS NULL OR expiry_time > \(nowMilliseconds)::bigint)
      """)
    return !rows.isEmpty
  }

  /// Reserves one use for a session of registration, and notes the stage with the token as complete, in one step.
  ///
  /// A session has one reservation at most, however often and by how many requests the stage is passed; another token gives the first
  /// one back.
  /// - Returns: whether the session has the token; when it is unknown, expired or used up, nothing is counted.
  public func reserve(_ token: Text, stage: Text, session: Text, nowMilliseconds: Int64) async throws -> Bool {
    try await database.transaction("reserve_registration_token", isolation: .readCommitted) { txn in
      guard let kept = try UserInteractiveAuthStore.serverData(of: session, in: txn) else { return false }
      // The account is there: the token has been counted, and the client only asks once more.
      if kept[RegisteredUser.key] != nil { return true }
      let earlier = try txn.query(
        "SELECT result FROM ui_auth_sessions_credentials WHERE session_id = \(session) AND stage_type = \(stage)"
      ).first.flatMap { try JSON.parse($0.get(0, as: Text.self)).string }
      if let earlier, earlier.utf8.elementsEqual(token.utf8) { return true }
      let reserved = try txn.query(
        """
        UPDATE registration_tokens SET pending = pending + 1
        WHERE token = \(token) AND (uses_allowed IS NULL OR pending + completed < uses_allowed)
          AND (expiry_time IS NULL OR expiry_time > \(nowMilliseconds)::bigint)
        RETURNING 1
        """)
      guard !reserved.isEmpty else { return false }
      if let earlier {
        txn.enqueue(
          "UPDATE registration_tokens SET pending = greatest(pending - 1, 0) WHERE token = \(earlier)")
      }
      txn.enqueue(UserInteractiveAuthStore.completion(of: stage, .string(token), session))
      return true
    }
  }

  /// Turns the reservation of a session into a use, in the transaction that makes the account.
  static func complete(stage: Text, session: Text, in txn: Transaction) throws {
    let result = try txn.query(
      "SELECT result FROM ui_auth_sessions_credentials WHERE session_id = \(session) AND stage_type = \(stage)")
    guard let token = try result.first.flatMap({ try JSON.parse($0.get(0, as: Text.self)).string }) else { return }
    txn.enqueue(
      """
      UPDATE registration_tokens SET pending = greatest(pending - 1, 0), completed = completed + 1
      WHERE token = \(token)
      """)
    txn.enqueue(UserInteractiveAuthStore.completion(of: stage, .bool(true), session))
  }
}
