import MatrixPrimitives
import Postgres

extension SessionStore {
  /// Ends the sessions of devices, which go with their keys and undelivered messages.
  ///
  /// Tokens end even where the device has gone before: a process that deletes both one after the other may have died in between.
  /// - Returns: the devices that went; unknown ones are passed over.
  public func end(_ deviceIDs: [Text], of user: UserID) async throws -> [Text] {
    guard !deviceIDs.isEmpty else { return [] }
    let named = Set(deviceIDs)
    return try await database.transaction("end_sessions", isolation: .readCommitted) { txn in
      Self.lock(user, in: txn)
      let ended = try self.devices.ids(of: user, in: txn).filter(named.contains)
      try self.devices.remove(ended, of: user, in: txn)
      try self.endTokens(of: user, where: Self.isDevice(in: deviceIDs), in: txn)
      return ended
    }
  }

  /// Ends every session of a user.
  ///
  /// - Returns: the devices that went.
  public func endAll(of user: UserID) async throws -> [Text] {
    try await database.transaction("end_all_sessions", isolation: .readCommitted) { txn in
      Self.lock(user, in: txn)
      return try self.endAll(of: user, in: txn)
    }
  }

  /// Ends every session within a transaction that has locked the user.
  func endAll(of user: UserID, in txn: Transaction) throws -> [Text] {
    LoginTokenStore.removeAll(of: user, in: txn)
    let ended = try devices.ids(of: user, in: txn)
    try devices.remove(ended, of: user, in: txn)
    try endTokens(of: user, where: "true", in: txn)
    return ended
  }

  /// Replaces the password and, if wished, ends all sessions but one.
  ///
  /// - Parameters:
  ///   - hash: the new password's.
  ///   - endsOthers: whether other sessions end.
  ///   - kept: the access token of the session that stays, with the refresh tokens that carry it on; nil when none does.
  /// - Returns: the devices that went.
  public func changePassword(
    of user: UserID, to hash: Text, endsOthers: Bool, keeping kept: Int64?
  ) async throws -> [Text] {
    try await database.transaction("change_password", isolation: .readCommitted) { txn in
      txn.enqueue("UPDATE users SET password_hash = \(hash) WHERE name = \(user.rawValue)")
      try self.invalidator.enqueue([CacheInvalidation("get_user_by_id", [user.rawValue])], in: txn)
      guard endsOthers else { return [] }
      LoginTokenStore.removeAll(of: user, in: txn)
      let own = try txn.query("SELECT device_id, refresh_token_id FROM access_tokens WHERE id = \(kept)").first
      let device = try own?.get(0, as: Text?.self) ?? nil
      let others = try self.devices.ids(of: user, in: txn).filter { id in
        device.map { !$0.utf8.elementsEqual(id.utf8) } ?? true
      }
      try self.devices.remove(others, of: user, in: txn)
      let chain = try Self.successors(of: try own?.get(1, as: Int64?.self) ?? nil, in: txn)
      let access = try txn.query(
        """
        DELETE FROM access_tokens
        WHERE user_id = \(user.rawValue) AND id IS DISTINCT FROM \(kept)
          AND coalesce(refresh_token_id <> ALL(\(chain)::bigint[]), true)
        RETURNING token
        """)
      txn.enqueue(
        "DELETE FROM refresh_tokens WHERE user_id = \(user.rawValue) AND id <> ALL(\(chain)::bigint[])")
      try self.forget(access, in: txn)
      return others
    }
  }

  /// Lists a refresh token and those it was exchanged for.
  private static func successors(of refresh: Int64?, in txn: Transaction) throws -> [Int64] {
    guard let refresh else { return [] }
    return try txn.query(
      """
      WITH RECURSIVE chain(id) AS (
        SELECT \(refresh)::bigint
        UNION
        SELECT tokens.next_token_id FROM refresh_tokens AS tokens INNER JOIN chain ON tokens.id = chain.id
        WHERE tokens.next_token_id IS NOT NULL
      )
      SELECT id FROM chain
      """
    ).map { try $0.get(0, as: Int64.self) }
  }
}
