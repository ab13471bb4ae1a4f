import MatrixPrimitives
import Postgres
import Synchronization

/// What a session is stored with.
public struct NewSessionRows: Sendable {
  /// The user that the session acts for.
  public var userID: UserID
  /// The device, made unless it is there.
  public var deviceID: Text
  /// The name of a device that is made.
  public var displayName: Text?
  /// The provider of single sign-on and its session, which end the device when the provider ends the session.
  public var authProvider: AuthProviderSession?
  /// The tokens.
  public var tokens: NewTokens
  /// The session of the registration whose first login this is; it opens one session only.
  public var registrationSession: Text?

  /// Collects the values of a session.
  public init(
    userID: UserID, deviceID: Text, displayName: Text?, authProvider: AuthProviderSession?, tokens: NewTokens,
    registrationSession: Text?
  ) {
    self.userID = userID
    self.deviceID = deviceID
    self.displayName = displayName
    self.authProvider = authProvider
    self.tokens = tokens
    self.registrationSession = registrationSession
  }
}

/// A session at a provider of single sign-on.
public struct AuthProviderSession: Sendable, Hashable {
  /// The provider, such as `oidc-keycloak`.
  public let providerID: Text
  /// The provider's own name of the session.
  public let sessionID: Text

  /// Creates the key of a provider's session.
  public init(providerID: Text, sessionID: Text) {
    self.providerID = providerID
    self.sessionID = sessionID
  }
}

/// An access token and the refresh token that comes with it.
public struct NewTokens: Sendable {
  /// The token that authenticates requests.
  public var access: Text
  /// The end of the access token, since 1970; nil never.
  public var validUntilMilliseconds: Int64?
  /// The token that renews the access token; nil for a session that cannot be refreshed.
  public var refresh: Text?
  /// The end of the refresh token, since 1970; nil never.
  public var refreshExpiryMilliseconds: Int64?
  /// The end of the whole session, however often it is refreshed; nil never.
  public var sessionExpiryMilliseconds: Int64?

  /// Collects the values of a pair of tokens.
  public init(
    access: Text, validUntilMilliseconds: Int64?, refresh: Text?, refreshExpiryMilliseconds: Int64?,
    sessionExpiryMilliseconds: Int64?
  ) {
    self.access = access
    self.validUntilMilliseconds = validUntilMilliseconds
    self.refresh = refresh
    self.refreshExpiryMilliseconds = refreshExpiryMilliseconds
    self.sessionExpiryMilliseconds = sessionExpiryMilliseconds
  }
}

/// Sessions, each a device, its access token and perhaps a refresh token: opened, exchanged and ended in one
/// transaction each.
///
/// Every such transaction locks the user's row in `users` before it looks at anything, and is read-committed, so that it sees
/// all that others did before. A session that is opened or refreshed while sessions are ended is therefore either ended with them or
/// finds what ended them. The ids of both token tables are counted by the main process alone (Synapse takes the next
/// number after the largest at its start), so the methods that insert may be called there only; a worker asks it over HTTP.
public final class SessionStore: Sendable {
  let database: PostgresClient
  let invalidator: CacheInvalidator
  let devices: DeviceStore
  private let nextIDs = Mutex<[Text: Int64]>([:])

  init(_ context: StoreContext, devices: DeviceStore) {
    database = context.database
    invalidator = context.invalidator
    self.devices = devices
  }

  /// What became of a session that was to be opened.
  public enum Opened: Sendable {
    /// The session is stored; whether its device is new.
    case stored(isNewDevice: Bool)
    /// The registration has opened this session before.
    case kept(KeptSession)
    /// The registration's session was opened before and has ended.
    case ended
  }

  /// Stores a session. Main process only.
  ///
  /// The device's earlier tokens end: a device has one session.
  /// - Throws: `MatrixError` 400 `M_FORBIDDEN` when the device's ID is reserved, as a cross-signing key's is.
  public func open(_ new: NewSessionRows, nowMilliseconds: Int64) async throws -> Opened {
    let ids = try await nextIDs(refreshable: new.tokens.refresh != nil)
    return try await database.transaction("open_session", isolation: .readCommitted) { txn in
      Self.lock(new.userID, in: txn)
      if let session = new.registrationSession,
        let kept = try UserInteractiveAuthStore.serverData(of: session, in: txn)?[KeptSession.key]
      {
        return try Self.earlier(kept, in: txn)
      }
      let isNewDevice = try self.devices.add(new.deviceID, of: new.userID, displayName: new.displayName, in: txn)
      if !isNewDevice { try self.endTokens(of: new.userID, where: Self.isDevice(in: [new.deviceID]), in: txn) }
      if let provider = new.authProvider { self.devices.note(provider, new.deviceID, of: new.userID, in: txn) }
      Self.insert(
        new.tokens, ids, user: new.userID, deviceID: new.deviceID, validatedMilliseconds: nowMilliseconds, in: txn)
      if let session = new.registrationSession {
        let kept = KeptSession(deviceID: new.deviceID, tokens: new.tokens)
        try UserInteractiveAuthStore.setServerData(KeptSession.key, kept.json, of: session, in: txn)
      }
      return .stored(isNewDevice: isNewDevice)
    }
  }

  private static func earlier(_ kept: JSON, in txn: Transaction) throws -> Opened {
    guard let session = KeptSession(json: kept) else { return .ended }
    let rows = try txn.query("SELECT 1 FROM access_tokens WHERE token = \(session.accessToken)")
    return rows.isEmpty ? .ended : .kept(session)
  }

  /// Returns whether the password of an account is still the one that a login was checked against, once every change
  /// under way is over.
  public func hasPassword(_ hash: Text, _ user: UserID) async throws -> Bool {
    try await database.transaction("check_password_unchanged", isolation: .readCommitted) { txn in
      let rows = try txn.query(
        "SELECT password_hash, deactivated FROM users WHERE name = \(user.rawValue) FOR SHARE")
      guard let row = rows.first else { return false }
      return try row.get(0, as: Text?.self).map { $0.utf8.elementsEqual(hash.utf8) } == true
        && row.get(1, as: Int64.self) == 0
    }
  }

  // MARK: Pieces of transactions

  /// Keeps other transactions of this kind for the user waiting until this one is over. To be called first.
  static func lock(_ user: UserID, in txn: Transaction) {
    txn.enqueue("SELECT 1 FROM users WHERE name = \(user.rawValue) FOR NO KEY UPDATE")
  }

  static func insert(
    _ tokens: NewTokens, _ ids: TokenIDs, user: UserID, deviceID: Text, validatedMilliseconds: Int64?,
    in txn: Transaction
  ) {
    if let refresh = tokens.refresh {
      txn.enqueue(
        """
        INSERT INTO refresh_tokens
          (id, user_id, device_id, token, next_token_id, expiry_ts, ultimate_session_expiry_ts)
        VALUES (\(ids.refresh), \(user.rawValue), \(deviceID), \(refresh), NULL, \(tokens.refreshExpiryMilliseconds),
                \(tokens.sessionExpiryMilliseconds))
        """)
    }
    txn.enqueue(
      """
      INSERT INTO access_tokens
        (id, user_id, token, device_id, valid_until_ms, last_validated, refresh_token_id, used)
      VALUES (\(ids.access), \(user.rawValue), \(tokens.access), \(deviceID), \(tokens.validUntilMilliseconds),
              \(validatedMilliseconds), \(ids.refresh), false)
      """)
  }

  /// Deletes access and refresh tokens of a user.
  ///
  /// - Parameter condition: which rows of both tables.
  func endTokens(of user: UserID, where condition: SQL, in txn: Transaction) throws {
    let filter: SQL = " WHERE user_id = \(user.rawValue) AND " + condition
    let rows = try txn.query("DELETE FROM access_tokens" + filter + " RETURNING token")
    txn.enqueue("DELETE FROM refresh_tokens" + filter)
    try forget(rows, in: txn)
  }

  /// Makes every process forget access tokens that were deleted.
  func forget(_ deleted: PostgresRows, in txn: Transaction) throws {
    let tokens = try deleted.map { try $0.get(0, as: Text.self) }
    try invalidator.enqueue(tokens.map { CacheInvalidation("get_user_by_access_token", [$0]) }, in: txn)
  }

  static func isDevice(in devices: [Text]) -> SQL { "device_id = ANY(\(devices)::text[])" }

  // MARK: Ids

  /// The ids of new rows.
  struct TokenIDs: Sendable {
    let access: Int64
    let refresh: Int64?
  }

  func nextIDs(refreshable: Bool) async throws -> TokenIDs {
    TokenIDs(
      access: try await nextID("access_tokens"), refresh: refreshable ? try await nextID("refresh_tokens") : nil)
  }

  /// Counts up from the largest id that the table held when this process first asked.
  private func nextID(_ table: Text) async throws -> Int64 {
    if let id = takeNext(table) { return id }
    let sql: SQL =
      table == "access_tokens"
      ? "SELECT coalesce(max(id), 0) FROM access_tokens" : "SELECT coalesce(max(id), 0) FROM refresh_tokens"
    let largest = try await database.run(sql).first?.get(0, as: Int64.self) ?? 0
    return nextIDs.withLock { ids in
      let id = max(ids[table] ?? 0, largest + 1)
      ids[table] = id + 1
      return id
    }
  }

  private func takeNext(_ table: Text) -> Int64? {
    nextIDs.withLock { ids in
      guard let id = ids[table] else { return nil }
      ids[table] = id + 1
      return id
    }
  }
}
