import MatrixPrimitives
import StorageEngine
import Stores
import Synchronization

/// The lookup of the `Requester` that acts with an access token.
///
/// Lookups are cached; the cache is named as Synapse's (`get_user_by_access_token`), so an invalidation by any process
/// of the cluster, theirs or ours, takes effect here.
///
/// Invalidations may be lost while Redis is away, so a lookup counts for ``maximumAgeMilliseconds`` at most. Tokens in use are looked
/// up again before that, many with one statement and while requests go on (``run()``).
public final class Authenticator: Sendable {
  /// The greatest age of a lookup by which a request is authenticated: older than it is when a client comes back from a
  /// long poll, which clients let last for 30 s, some for 60 s; else each idle sync would ask the database.
  static let maximumAgeMilliseconds: Int64 = 90_000
  /// From which age on a lookup that is used is confirmed.
  static let confirmationAgeMilliseconds: Int64 = 15_000
  private static let confirmationBatch = 500

  private let stores: AccountStores
  private let activity: ClientActivity
  private let clock: ServerClock
  private let tokens: Cache<Text, TokenLookup?>
  /// Tokens in use that are to be looked up again.
  private let unconfirmed = Mutex<Set<Text>>([])

  init(stores: AccountStores, activity: ClientActivity, clock: ServerClock) {
    self.stores = stores
    self.activity = activity
    self.clock = clock
    let tokens: Cache<Text, TokenLookup?> = stores.context.caches.cache("get_user_by_access_token", capacity: 50_000)
    self.tokens = tokens
    stores.context.caches.register("get_user_by_access_token") { keys in
      if let token = keys?.first { tokens.invalidate(token) } else { tokens.invalidateAll() }
    }
    // A change of the account's state changes what its tokens may do; tokens are not listed with such a row.
    for name in [
      "get_user_by_id", "get_user_deactivated_status", "get_user_locked_status", "get_user_suspended_status",
    ] {
      stores.context.caches.register(name) { _ in tokens.invalidateAll() }
    }
  }

  /// What a request reveals of its client, for the record of devices' last use.
  public struct Client: Sendable {
    /// The address, as the listener or the trusted proxy reports it.
    public let ip: Text
    /// The `User-Agent` header, or an empty text.
    public let userAgent: Text

    /// Collects a client's address and agent.
    public init(ip: Text, userAgent: Text) {
      self.ip = ip
      self.userAgent = userAgent
    }
  }

  /// Who is admitted to what a request asks for.
  public struct Admission: Sendable {
    /// Where the request came from.
    public let client: Client
    /// Whether guests are admitted.
    public let allowsGuests: Bool
    /// Whether locked accounts and expired tokens are (only to log out).
    public let allowsLocked: Bool

    /// Makes an admission.
    public init(client: Client, allowsGuests: Bool = false, allowsLocked: Bool = false) {
      self.client = client
      self.allowsGuests = allowsGuests
      self.allowsLocked = allowsLocked
    }
  }

  /// Authenticates a token.
  ///
  /// - Parameters:
  ///   - token: the token as the client sent it.
  ///   - admission: who is admitted.
  /// - Throws: `MatrixError` 401 `M_UNKNOWN_TOKEN` (soft logout when expired), 401 `M_USER_LOCKED`, 403
  ///   `M_GUEST_ACCESS_FORBIDDEN`.
  public func authenticate(_ token: Text, _ admission: Admission) async throws -> Requester {
    guard token.utf8.count <= 1024, let found = try await lookup(token) else { throw MatrixError.unknownToken() }
    try check(found, admission)
    if !found.isUsed { try await stores.accessTokens.markUsed(token, id: found.tokenID) }
    return note(found, token, admission.client)
  }

  /// Authenticates a token whose user is known here already, as ``authenticate(_:_:)`` does.
  ///
  /// - Returns: nil when the database has to be asked.
  public func authenticateKnown(_ token: Text, _ admission: Admission) throws -> Requester? {
    guard let found = known(token), found.isUsed else { return nil }
    try check(found, admission)
    return note(found, token, admission.client)
  }

  private func lookup(_ token: Text) async throws -> TokenLookup? {
    if let found = known(token) { return found }
    // What is kept is too old, or says that there is no such token.
    if let kept = tokens.peek(token), kept != nil { tokens.invalidate(token) }
    let now = clock.monotonicMilliseconds
    return try await tokens.value(token) { [stores] in try await stores.accessTokens.lookup(token, at: now) }
  }

  /// Returns what is known of a token and not too old, and has it confirmed when it soon will be.
  private func known(_ token: Text) -> TokenLookup? {
    guard let found = tokens.peek(token) ?? nil else { return nil }
    let age = clock.monotonicMilliseconds - found.confirmedAt
    guard age < Self.maximumAgeMilliseconds else { return nil }
    if age >= Self.confirmationAgeMilliseconds { unconfirmed.withLock { _ = $0.insert(token) } }
    return found
  }

  /// Confirms the lookups of tokens in use once a second, until cancelled.
  func run() async {
    while !Task.isCancelled {
      try? await Beat.wait(seconds: 1)  // cancelled: the loop ends
      var tokens = unconfirmed.withLock { waiting in
        defer { waiting.removeAll() }
        return Array(waiting)
      }
      while !tokens.isEmpty {
        let batch = Array(tokens.suffix(Self.confirmationBatch))
        tokens.removeLast(batch.count)
        // Without the database the lookups grow too old, and requests fail as they must.
        try? await confirm(batch)
      }
    }
  }

  /// Looks tokens up again, and forgets those of which the database says something else.
  func confirm(_ batch: [Text]) async throws {
    let now = clock.monotonicMilliseconds
    let found = try await stores.accessTokens.lookups(batch, at: now)
    for token in batch {
      guard let kept = tokens.peek(token) ?? nil else { continue }
      if let current = found[token], kept.isSame(as: current) {
        kept.confirm(at: now)
      } else {
        tokens.invalidate(token)
      }
    }
  }

  private func check(_ found: TokenLookup, _ admission: Admission) throws {
    if found.isDeactivated { throw MatrixError.unknownToken() }
    if let end = found.validUntilMilliseconds, end < clock.nowMilliseconds, !admission.allowsLocked {
      throw MatrixError.unknownToken(softLogout: true)
    }
    if found.isLocked && !admission.allowsLocked {
      throw MatrixError.userLocked()
    }
    if found.isGuest && !admission.allowsGuests {
      throw MatrixError.guestAccessForbidden("Guest access not allowed")
    }
  }

  private func note(_ found: TokenLookup, _ token: Text, _ client: Client) -> Requester {
    activity.record(
      user: found.tokenOwner, token: token, deviceID: found.deviceID, ip: client.ip, userAgent: client.userAgent)
    return Requester(
      userID: found.userID, accessTokenID: found.tokenID, deviceID: found.deviceID, isGuest: found.isGuest,
      isShadowBanned: found.isShadowBanned, appserviceID: nil, authenticatedEntity: found.tokenOwner.rawValue)
  }

  /// Returns whether the user who authenticated the request administers the server.
  public func isAdministrator(_ requester: Requester) async throws -> Bool {
    guard let owner = UserID(requester.authenticatedEntity) else { return false }
    return try await stores.accounts.account(owner)?.isAdmin ?? false
  }

  /// Refuses an account that an administrator has suspended.
  ///
  /// - Throws: `MatrixError` 403 `M_USER_SUSPENDED`.
  public func refuseSuspended(_ requester: Requester, _ action: Text) async throws {
    if try await stores.accounts.account(requester.userID)?.isSuspended == true {
      throw MatrixError(.userSuspended, "\(action) while account is suspended is not allowed.")
    }
  }
}
