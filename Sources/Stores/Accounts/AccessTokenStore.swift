import MatrixPrimitives
import Postgres
import Synchronization

/// Everything that authenticating a request needs to know of an access token, from one query.
public final class TokenLookup: Sendable {
  /// The user that the token acts for.
  public let userID: UserID
  /// The user that owns the token: an administrator when the token was made to act as somebody else.
  public let tokenOwner: UserID
  /// The row's id.
  public let tokenID: Int64
  /// The device of the session.
  public let deviceID: String?
  /// After this time, in milliseconds since 1970, the token asks for a soft logout; nil never.
  public let validUntilMilliseconds: Int64?
  /// True once a refreshed token has been used for a request (its predecessor is then void).
  public let isUsed: Bool
  /// True for a guest's token.
  public let isGuest: Bool
  /// True when what the account sends is silently dropped.
  public let isShadowBanned: Bool
  /// True after the account was deactivated.
  public let isDeactivated: Bool
  /// True while an administrator has locked the account.
  public let isLocked: Bool
  /// True while the account may read but not act.
  public let isSuspended: Bool
  /// True for a server administrator's token.
  public let isAdmin: Bool

  init(
    userID: UserID, tokenOwner: UserID, tokenID: Int64, deviceID: String?, validUntilMilliseconds: Int64?,
    isUsed: Bool, isGuest: Bool, isShadowBanned: Bool, isDeactivated: Bool, isLocked: Bool, isSuspended: Bool,
    isAdmin: Bool
  ) {
    self.userID = userID
    self.tokenOwner = tokenOwner
    self.tokenID = tokenID
    self.deviceID = deviceID
    self.validUntilMilliseconds = validUntilMilliseconds
    self.isUsed = isUsed
    self.isGuest = isGuest
    self.isShadowBanned = isShadowBanned
    self.isDeactivated = isDeactivated
    self.isLocked = isLocked
    self.isSuspended = isSuspended
    self.isAdmin = isAdmin
  }
}

/// What a new access token row holds.
public struct NewAccessToken: Sendable {
  /// The user that the token acts for.
  public var userID: UserID
  /// The token itself.
  public var token: String
  /// The device of the session.
  public var deviceID: String?
  /// When it ends, since 1970; nil never.
  public var validUntilMilliseconds: Int64?
  /// The refresh token that was issued with it.
  public var refreshTokenID: Int64?

  /// Collects the values of a token.
  public init(
    userID: UserID, token: String, deviceID: String?, validUntilMilliseconds: Int64? = nil, refreshTokenID: Int64? = nil
  ) {
    self.userID = userID
    self.token = token
    self.deviceID = deviceID
    self.validUntilMilliseconds = validUntilMilliseconds
    self.refreshTokenID = refreshTokenID
  }
}

/// A row of `refresh_tokens` with what is known of its successor.
public struct RefreshTokenLookup: Sendable {
  /// The row's id.
  public let tokenID: Int64
  /// The user that the token acts for.
  public let userID: UserID
  /// The device of the session.
  public let deviceID: String
  /// The token that this one was exchanged for.
  public let nextTokenID: Int64?
  /// True when the successor has been exchanged in its turn, so this token can no longer be used.
  public let isNextTokenRefreshed: Bool
  /// True when the access token made with the successor has been used.
  public let isNextTokenUsed: Bool
  /// When the token ends, since 1970; nil never.
  public let expiryMilliseconds: Int64?
  /// When the whole session ends, however often it is refreshed; nil never.
  public let sessionExpiryMilliseconds: Int64?
}

/// Reads and writes `access_tokens` and `refresh_tokens`.
///
/// The ids of both tables are counted by the main process alone (Synapse takes the next number after the largest at
/// its start), so the inserting methods may be called on the main process only; a worker asks it over HTTP.
public final class AccessTokenStore: Sendable {
  private let database: PostgresClient
  private let invalidator: CacheInvalidator
  private let nextIDs = Mutex<[String: Int64]>([:])

  init(database: PostgresClient, invalidator: CacheInvalidator) {
    self.database = database
    self.invalidator = invalidator
  }

  /// Looks an access token up together with the state of its account.
  public func lookup(_ token: String) async throws -> TokenLookup? {
    let rows = try await database.read(
      """
      SELECT users.name, tokens.user_id, tokens.id, tokens.device_id, tokens.valid_until_ms, tokens.used,
             users.is_guest, users.shadow_banned, users.deactivated, users.locked, users.suspended, users.admin
      FROM access_tokens AS tokens
      INNER JOIN users ON users.name = coalesce(tokens.puppets_user_id, tokens.user_id)
      WHERE tokens.token = \(token)
      """)
    guard let row = rows.first else { return nil }
    return TokenLookup(
      userID: UserID(unchecked: try row.get(0, as: String.self)),
      tokenOwner: UserID(unchecked: try row.get(1, as: String.self)), tokenID: try row.get(2, as: Int64.self),
      deviceID: try row.get(3, as: String?.self), validUntilMilliseconds: try row.get(4, as: Int64?.self),
      isUsed: try row.get(5, as: Bool?.self) ?? false, isGuest: try row.get(6, as: Int64.self) != 0,
      isShadowBanned: try row.get(7, as: Bool?.self) ?? false, isDeactivated: try row.get(8, as: Int64.self) != 0,
      isLocked: try row.get(9, as: Bool.self), isSuspended: try row.get(10, as: Bool.self),
      isAdmin: try row.get(11, as: Int64.self) != 0)
  }

  /// Inserts an access token. Main process only.
  public func insert(_ new: NewAccessToken, nowMilliseconds: Int64) async throws {
    let id = try await nextID("access_tokens")
    _ = try await database.read(
      """
      INSERT INTO access_tokens
        (id, user_id, token, device_id, valid_until_ms, last_validated, refresh_token_id, used)
      VALUES (\(id), \(new.userID.rawValue), \(new.token), \(new.deviceID), \(new.validUntilMilliseconds),
              \(nowMilliseconds), \(new.refreshTokenID), false)
      """)
  }

  /// Inserts a refresh token and answers its id. Main process only.
  public func insertRefreshToken(
    _ token: String, user: UserID, deviceID: String, expiryMilliseconds: Int64?, sessionExpiryMilliseconds: Int64?
  ) async throws -> Int64 {
    let id = try await nextID("refresh_tokens")
    _ = try await database.read(
      """
      INSERT INTO refresh_tokens
        (id, user_id, device_id, token, next_token_id, expiry_ts, ultimate_session_expiry_ts)
      VALUES (\(id), \(user.rawValue), \(deviceID), \(token), NULL, \(expiryMilliseconds), \(sessionExpiryMilliseconds))
      """)
    return id
  }

  /// Looks a refresh token up.
  public func lookupRefreshToken(_ token: String) async throws -> RefreshTokenLookup? {
    let rows = try await database.read(
      """
      SELECT rt.id, rt.user_id, rt.device_id, rt.next_token_id, (nrt.next_token_id IS NOT NULL),
             coalesce(at.used, false), rt.expiry_ts, rt.ultimate_session_expiry_ts
      FROM refresh_tokens AS rt
      LEFT JOIN refresh_tokens AS nrt ON rt.next_token_id = nrt.id
      LEFT JOIN access_tokens AS at ON at.refresh_token_id = nrt.id
      WHERE rt.token = \(token)
      """)
    guard let row = rows.first else { return nil }
    return RefreshTokenLookup(
      tokenID: try row.get(0, as: Int64.self), userID: UserID(unchecked: try row.get(1, as: String.self)),
      deviceID: try row.get(2, as: String.self), nextTokenID: try row.get(3, as: Int64?.self),
      isNextTokenRefreshed: try row.get(4, as: Bool.self), isNextTokenUsed: try row.get(5, as: Bool.self),
      expiryMilliseconds: try row.get(6, as: Int64?.self), sessionExpiryMilliseconds: try row.get(7, as: Int64?.self))
  }

  /// Makes `newID` the successor of `oldID`, dropping an earlier successor that was never used.
  public func replaceRefreshToken(_ oldID: Int64, with newID: Int64) async throws {
    try await database.transaction("replace_refresh_token") { txn in
      let rows = try txn.query("SELECT next_token_id FROM refresh_tokens WHERE id = \(oldID) FOR UPDATE")
      let previous = try rows.first?.get(0, as: Int64?.self) ?? nil
      txn.enqueue("UPDATE refresh_tokens SET next_token_id = \(newID) WHERE id = \(oldID)")
      if let previous {
        txn.enqueue("DELETE FROM refresh_tokens WHERE id = \(previous)")
      }
    }
  }

  /// Notes that an access token was used, which voids its predecessor's claim to be refreshed again.
  public func markUsed(_ token: String, id: Int64) async throws {
    try await database.transaction("mark_access_token_as_used") { txn in
      txn.enqueue("UPDATE access_tokens SET used = true WHERE id = \(id)")
      try self.invalidator.enqueue([CacheInvalidation("get_user_by_access_token", [token])], in: txn)
    }
  }

  /// Deletes one access token and the refresh token it came with.
  public func delete(_ token: String) async throws {
    try await database.transaction("delete_access_token") { txn in
      let rows = try txn.query("DELETE FROM access_tokens WHERE token = \(token) RETURNING refresh_token_id")
      if let refresh = try rows.first?.get(0, as: Int64?.self) ?? nil {
        txn.enqueue("DELETE FROM refresh_tokens WHERE id = \(refresh)")
      }
      try self.invalidator.enqueue([CacheInvalidation("get_user_by_access_token", [token])], in: txn)
    }
  }

  /// Deletes a user's tokens: those of the devices given, or all when `devices` is nil.
  ///
  /// - Parameter except: the id of a token to keep, for a password change that leaves the caller logged in.
  /// - Returns: the deleted tokens and their devices.
  @discardableResult
  public func deleteTokens(of user: UserID, devices: [String]?, except: Int64? = nil) async throws -> [String] {
    try await database.transaction("user_delete_access_tokens") { txn in
      var filter: SQL = " WHERE user_id = \(user.rawValue)"
      if let devices { filter = filter + " AND device_id = ANY(\(devices)::text[])" }
      let kept: SQL = except.map { " AND id <> \($0)" } ?? ""
      let rows = try txn.query("DELETE FROM access_tokens" + filter + kept + " RETURNING token")
      if except == nil { txn.enqueue("DELETE FROM refresh_tokens" + filter) }
      let tokens = try rows.map { try $0.get(0, as: String.self) }
      try self.invalidator.enqueue(tokens.map { CacheInvalidation("get_user_by_access_token", [$0]) }, in: txn)
      return tokens
    }
  }

  /// Counts up from the largest id that the table held when this process first asked.
  private func nextID(_ table: String) async throws -> Int64 {
    if let id = takeNext(table) { return id }
    let sql: SQL =
      table == "access_tokens"
      ? "SELECT coalesce(max(id), 0) FROM access_tokens" : "SELECT coalesce(max(id), 0) FROM refresh_tokens"
    let largest = try await database.read(sql).first?.get(0, as: Int64.self) ?? 0
    return nextIDs.withLock { ids in
      let id = max(ids[table] ?? 0, largest + 1)
      ids[table] = id + 1
      return id
    }
  }

  private func takeNext(_ table: String) -> Int64? {
    nextIDs.withLock { ids in
      guard let id = ids[table] else { return nil }
      ids[table] = id + 1
      return id
    }
  }
}
