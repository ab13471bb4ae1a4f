import MatrixPrimitives
import Postgres
import ServerConfig
import StorageEngine

/// A row of `users`, as far as services ask for it.
public struct Account: Sendable {
  /// The full user ID, in the case it was registered with.
  public let userID: UserID
  /// The bcrypt hash, or nil for an account that cannot log in by password.
  public let passwordHash: Text?
  /// The time at which the account was made, in seconds since 1970 (Synapse stores seconds here).
  public let creationSeconds: Int64?
  /// Whether the user is a server administrator.
  public let isAdmin: Bool
  /// Whether the user is a guest.
  public let isGuest: Bool
  /// Whether the account is deactivated.
  public let isDeactivated: Bool
  /// Whether an administrator has locked the account.
  public let isLocked: Bool
  /// Whether the account may read but not act.
  public let isSuspended: Bool
  /// Whether what the account sends is silently dropped.
  public let isShadowBanned: Bool
  /// The application service that owns the account, if any.
  public let appserviceID: Text?
  /// `support`, `bot` or nil.
  public let userType: Text?
  /// Whether an administrator has approved the account, where the configuration wants that.
  public let isApproved: Bool
}

/// What limits a user instead of the settings.
public enum RateLimitOverride: Sendable, Hashable {
  /// Nothing: the settings do.
  case none
  /// Nobody limits the user.
  case unlimited
  /// Messages have a limit of their own; what else there is, the settings limit.
  case messages(RateLimit)
}

/// The table `users` and the small tables round it.
public final class AccountStore: Sendable {
  let database: PostgresClient
  let invalidator: CacheInvalidator
  private let overrides: Cache<Text, RateLimitOverride>

  init(_ context: StoreContext) {
    database = context.database
    invalidator = context.invalidator
    let overrides: Cache<Text, RateLimitOverride> = context.caches.cache("get_ratelimit_for_user", capacity: 20_000)
    self.overrides = overrides
    context.caches.register("get_ratelimit_for_user") { keys in
      if let user = keys?.first { overrides.invalidate(user) } else { overrides.invalidateAll() }
    }
  }

  /// Reads an account by its exact ID; nil when there is none.
  public func account(_ user: UserID) async throws -> Account? {
    try await database.run(Self.selection + " WHERE name = \(user.rawValue)").first.map(Self.decode)
  }

  /// Reads all accounts whose IDs equal `user` when case is ignored. No index does that: it takes the longer the more accounts there are.
  ///
  /// Old servers could register `@Bob:x` beside `@bob:x`; login prefers the exact one and refuses to guess.
  public func accountsIgnoringCase(_ user: UserID) async throws -> [Account] {
    try await database.run(Self.selection + " WHERE lower(name) = lower(\(user.rawValue))").map(Self.decode)
  }

  /// Finds the guests among some users.
  public func guests(among users: [UserID]) async throws -> [UserID] {
    guard !users.isEmpty else { return [] }
    return try await database.run(
      "SELECT name FROM users WHERE name = ANY(\(users.map(\.rawValue))::text[]) AND is_guest = 1"
    ).map { UserID(unchecked: try $0.get(0, as: Text.self)) }
  }

  /// Takes the next number for a user ID that the server chooses.
  public func nextGeneratedLocalpart() async throws -> Text {
    let rows = try await database.run("SELECT nextval('user_id_seq')")
    guard let row = rows.first else { throw MatrixError.unknown("user_id_seq gave no value") }
    return Text(try row.get(0, as: Int64.self))
  }

  /// Lists the e-mail addresses and phone numbers bound to an account.
  public func thirdPartyIdentifiers(of user: UserID) async throws -> [ThirdPartyIdentifier] {
    try await database.run(
      "SELECT medium, address, validated_at, added_at FROM user_threepids WHERE user_id = \(user.rawValue)"
    ).map { row in
      let (medium, address, validated, added) = try row.decode(Text.self, Text.self, Int64.self, Int64.self)
      return ThirdPartyIdentifier(
        medium: medium, address: address, validatedAtMilliseconds: validated, addedAtMilliseconds: added)
    }
  }

  /// Finds the account that an e-mail address or phone number belongs to.
  public func user(withThirdParty medium: Text, _ address: Text) async throws -> UserID? {
    try await database.run(
      "SELECT user_id FROM user_threepids WHERE medium = \(medium) AND address = \(address)"
    ).first.map { UserID(unchecked: try $0.get(0, as: Text.self)) }
  }

  /// Returns whether nobody limits what a requester does: an application service, or a user whose limits an administrator has lifted.
  public func isUnlimited(_ requester: Requester) async throws -> Bool {
    if case .unlimited = try await rateLimitOverride(requester) { true } else { false }
  }

  /// Reads what limits a requester instead of the settings (a row of `ratelimit_override`). Remembered until the row changes.
  public func rateLimitOverride(_ requester: Requester) async throws -> RateLimitOverride {
    if requester.appserviceID != nil { return .unlimited }
    return try await overrides.value(requester.authenticatedEntity) { [database] in
      let rows = try await database.run(
        """
        SELECT messages_per_second, burst_count FROM ratelimit_override
        WHERE user_id = \(requester.authenticatedEntity)
        """)
      guard let row = rows.first else { return .none }
      let (perSecond, burst) = try row.decode(Int64?.self, Int64?.self)
      guard let perSecond, perSecond != 0 else { return .unlimited }
      return .messages(RateLimit(perSecond: Double(perSecond), burstCount: Int(clamping: burst ?? 0)))
    }
  }

  private static let selection: SQL = """
    SELECT name, password_hash, creation_ts, admin, is_guest, deactivated, locked, suspended,
           coalesce(shadow_banned, false), appservice_id, user_type, coalesce(approved, true)
    FROM users
    """

  private static func decode(_ row: PostgresRow) throws -> Account {
    Account(
      userID: UserID(unchecked: try row.get(0, as: Text.self)), passwordHash: try row.get(1, as: Text?.self),
      creationSeconds: try row.get(2, as: Int64?.self), isAdmin: try row.get(3, as: Int64.self) != 0,
      isGuest: try row.get(4, as: Int64.self) != 0, isDeactivated: try row.get(5, as: Int64.self) != 0,
      isLocked: try row.get(6, as: Bool.self), isSuspended: try row.get(7, as: Bool.self),
      isShadowBanned: try row.get(8, as: Bool.self), appserviceID: try row.get(9, as: Text?.self),
      userType: try row.get(10, as: Text?.self), isApproved: try row.get(11, as: Bool.self))
  }
}

/// An e-mail address or phone number of an account.
public struct ThirdPartyIdentifier: Sendable {
  /// `email` or `msisdn`.
  public let medium: Text
  /// The address or number, in canonical form.
  public let address: Text
  /// The time at which it was proved to be the user's, since 1970.
  public let validatedAtMilliseconds: Int64
  /// The time at which it was bound to the account, since 1970.
  public let addedAtMilliseconds: Int64
}
