import MatrixPrimitives
import Postgres

/// A refresh token as it is when it is to be exchanged.
public struct RefreshTokenLookup: Sendable {
  /// The user that the token acts for.
  public let userID: UserID
  /// The device of the session.
  public let deviceID: Text
  /// Whether the successor has been used, so that this one is spent: it was exchanged in its turn, or its access token served a request.
  public let isSpent: Bool
  /// The end of the token, since 1970; nil never.
  public let expiryMilliseconds: Int64?
  /// The end of the whole session, however often it is refreshed; nil never.
  public let sessionExpiryMilliseconds: Int64?
}

extension SessionStore {
  /// Exchanges a refresh token, in one step with the question whether it may be. Main process only.
  ///
  /// A successor that was handed out before and never used ends. Of the spent tokens of a session only the last is kept.
  /// - Parameter successor: makes the new tokens; what it throws leaves everything as it is.
  /// - Returns: the new tokens and the device; nil when the token is unknown.
  public func exchange(
    _ token: Text, nowMilliseconds: Int64,
    successor: @escaping @Sendable (RefreshTokenLookup) throws -> NewTokens
  ) async throws -> (tokens: NewTokens, deviceID: Text)? {
    let ids = try await nextIDs(refreshable: true)
    return try await database.transaction("exchange_refresh_token", isolation: .readCommitted) { txn in
      let owner = try txn.query("SELECT user_id FROM refresh_tokens WHERE token = \(token)")
      guard let user = try owner.first?.get(0, as: Text.self) else { return nil }
      Self.lock(UserID(unchecked: user), in: txn)
      guard let row = try txn.query(Self.refreshSelection + " WHERE rt.token = \(token)").first else { return nil }
      let (id, old) = (try row.get(0, as: Int64.self), try Self.decode(row))
      let tokens = try successor(old)
      let unused = try row.get(3, as: Int64?.self)
      // Whoever has the refresh token has shown no password: the moment of the last one goes over to the new token.
      let validated: Int64? =
        try txn.query(
          "SELECT max(last_validated) FROM access_tokens WHERE refresh_token_id = \(id)"
        ).first?.get(0, as: Int64?.self) ?? nil
      // The unused successor, and what was spent before the token that led here.
      let ended = try txn.query(
        """
        SELECT id FROM refresh_tokens WHERE id = \(unused)
        UNION ALL
        SELECT earlier.id FROM refresh_tokens AS earlier
        INNER JOIN refresh_tokens AS spent ON earlier.next_token_id = spent.id WHERE spent.next_token_id = \(id)
        """
      ).map { try $0.get(0, as: Int64.self) }
      let access = try txn.query(
        "DELETE FROM access_tokens WHERE refresh_token_id = ANY(\(ended)::bigint[]) RETURNING token")
      Self.insert(
        tokens, ids, user: old.userID, deviceID: old.deviceID, validatedMilliseconds: validated, in: txn)
      // Before the deletion, which takes along whatever points to a deleted token.
      txn.enqueue("UPDATE refresh_tokens SET next_token_id = \(ids.refresh) WHERE id = \(id)")
      txn.enqueue("DELETE FROM refresh_tokens WHERE id = ANY(\(ended)::bigint[])")
      try self.forget(access, in: txn)
      return (tokens, old.deviceID)
    }
  }

  private static let refreshSelection: SQL = """
    SELECT rt.id, rt.user_id, rt.device_id, rt.next_token_id,
           (nrt.next_token_id IS NOT NULL) OR coalesce(at.used, false), rt.expiry_ts, rt.ultimate_session_expiry_ts
    FROM refresh_tokens AS rt
    LEFT JOIN refresh_tokens AS nrt ON rt.next_token_id = nrt.id
    LEFT JOIN access_tokens AS at ON at.refresh_token_id = nrt.id
    """

  private static func decode(_ row: PostgresRow) throws -> RefreshTokenLookup {
    RefreshTokenLookup(
      userID: UserID(unchecked: try row.get(1, as: Text.self)), deviceID: try row.get(2, as: Text.self),
      isSpent: try row.get(4, as: Bool.self), expiryMilliseconds: try row.get(5, as: Int64?.self),
      sessionExpiryMilliseconds: try row.get(6, as: Int64?.self))
  }
}
