import MatrixPrimitives
import Replication
import StorageEngine
import Stores

/// Turns an access token into the `Requester` that acts with it.
///
/// Lookups are cached; the cache is named as Synapse's (`get_user_by_access_token`), so an invalidation by any process
/// of the cluster, theirs or ours, takes effect here.
public final class Authenticator: Sendable {
  private let storage: Storage
  private let activity: ClientActivity
  private let clock: ServerClock
  private let tokens: Cache<String, TokenLookup?>

  init(storage: Storage, activity: ClientActivity, clock: ServerClock) {
    self.storage = storage
    self.activity = activity
    self.clock = clock
    let tokens: Cache<String, TokenLookup?> = storage.caches.cache("get_user_by_access_token", capacity: 50_000)
    self.tokens = tokens
    storage.caches.register("get_user_by_access_token") { keys in
      if let token = keys?.first { tokens.invalidate(token) } else { tokens.invalidateAll() }
    }
    // A change of the account's state changes what its tokens may do; tokens are not listed with such a row.
    for name in [
      "get_user_by_id", "get_user_deactivated_status", "get_user_locked_status", "get_user_suspended_status",
    ] {
      storage.caches.register(name) { _ in tokens.invalidateAll() }
    }
  }

  /// What a request tells of its client, for the record of devices' last use.
  public struct Client: Sendable {
    /// The address, as the listener or the trusted proxy tells it.
    public let ip: String
    /// The `User-Agent` header, or an empty text.
    public let userAgent: String

    /// Collects a client's address and agent.
    public init(ip: String, userAgent: String) {
      self.ip = ip
      self.userAgent = userAgent
    }
  }

  /// Authenticates a token.
  ///
  /// - Parameters:
  ///   - token: the token as the client sent it.
  ///   - client: where the request came from.
  ///   - allowGuest: whether guests may use the endpoint.
  ///   - allowLocked: whether locked accounts may (only to log out).
  /// - Throws: `MatrixError` 401 `M_UNKNOWN_TOKEN` (soft logout when expired), 401 `M_USER_LOCKED`, 403
  ///   `M_GUEST_ACCESS_FORBIDDEN`.
  public func authenticate(
    _ token: String, client: Client, allowGuest: Bool = false, allowLocked: Bool = false
  ) async throws -> Requester {
    guard token.utf8.count <= 1024,
      let found = try await tokens.value(token, load: { try await self.storage.accessTokens.lookup(token) })
    else { throw MatrixError.unknownToken() }
    try check(found, allowGuest: allowGuest, allowLocked: allowLocked)
    if !found.isUsed { try await storage.accessTokens.markUsed(token, id: found.tokenID) }
    return note(found, token, client)
  }

  /// Authenticates a token whose user is known here already, as ``authenticate(_:client:allowGuest:allowLocked:)`` does.
  ///
  /// - Returns: nil when the database has to be asked.
  public func authenticateKnown(
    _ token: String, client: Client, allowGuest: Bool = false, allowLocked: Bool = false
  ) throws -> Requester? {
    guard let found = tokens.peek(token) ?? nil, found.isUsed else { return nil }
    try check(found, allowGuest: allowGuest, allowLocked: allowLocked)
    return note(found, token, client)
  }

  private func check(_ found: TokenLookup, allowGuest: Bool, allowLocked: Bool) throws {
    if found.isDeactivated { throw MatrixError.unknownToken() }
    if let end = found.validUntilMilliseconds, end < clock.nowMilliseconds {
      throw MatrixError.unknownToken(softLogout: true)
    }
    if found.isLocked && !allowLocked {
      throw MatrixError.custom(
        status: 401, errcode: "M_USER_LOCKED", message: "User account has been locked",
        extras: ["soft_logout": .bool(true)])
    }
    if found.isGuest && !allowGuest {
      throw MatrixError.guestAccessForbidden("Guest access not allowed")
    }
  }

  private func note(_ found: TokenLookup, _ token: String, _ client: Client) -> Requester {
    activity.record(
      user: found.tokenOwner, token: token, deviceID: found.deviceID, ip: client.ip, userAgent: client.userAgent)
    return Requester(
      userID: found.userID, accessTokenID: found.tokenID, deviceID: found.deviceID, isGuest: found.isGuest,
      isShadowBanned: found.isShadowBanned, appserviceID: nil, authenticatedEntity: found.tokenOwner.rawValue)
  }

  /// Tells whether the user who authenticated the request administers the server.
  public func isAdministrator(_ requester: Requester) async throws -> Bool {
    guard let owner = UserID(requester.authenticatedEntity) else { return false }
    return try await storage.accounts.account(owner)?.isAdmin ?? false
  }

  /// Refuses an account that an administrator has suspended.
  ///
  /// - Throws: `MatrixError` 403 `M_USER_SUSPENDED`.
  public func refuseSuspended(_ requester: Requester, _ action: String) async throws {
    if try await storage.accounts.account(requester.userID)?.isSuspended == true {
      throw MatrixError.custom(
        status: 403, errcode: "M_USER_SUSPENDED", message: "\(action) while account is suspended is not allowed.",
        extras: [:])
    }
  }
}
