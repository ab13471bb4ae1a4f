import MatrixPrimitives
import Postgres

/// A row of `users`, as far as services ask for it.
public struct Account: Sendable {
  /// The full user ID, in the case it was registered with.
  public let userID: UserID
  /// The bcrypt hash, or nil for an account that cannot log in by password.
  public let passwordHash: String?
  /// When the account was made, in seconds since 1970 (Synapse stores seconds here).
  public let creationSeconds: Int64?
  /// True for a server administrator.
  public let isAdmin: Bool
  /// True for a guest.
  public let isGuest: Bool
  /// True after deactivation.
  public let isDeactivated: Bool
  /// True while an administrator has locked the account.
  public let isLocked: Bool
  /// True while the account may read but not act.
  public let isSuspended: Bool
  /// True when what the account sends is silently dropped.
  public let isShadowBanned: Bool
  /// The application service that owns the account, if any.
  public let appserviceID: String?
  /// `support`, `bot` or nil.
  public let userType: String?
}

/// What a registration writes.
public struct NewAccount: Sendable {
  /// The full user ID.
  public var userID: UserID
  /// The bcrypt hash; nil for an account without a password.
  public var passwordHash: String?
  /// Makes a server administrator.
  public var isAdmin: Bool
  /// Makes a guest.
  public var isGuest: Bool
  /// `support`, `bot` or nil.
  public var userType: String?
  /// The application service that owns the account.
  public var appserviceID: String?
  /// The display name of the new profile; nil leaves the profile without one.
  public var displayName: String?

  /// Collects the values of a registration.
  public init(
    userID: UserID, passwordHash: String?, isAdmin: Bool = false, isGuest: Bool = false, userType: String? = nil,
    appserviceID: String? = nil, displayName: String?
  ) {
    self.userID = userID
    self.passwordHash = passwordHash
    self.isAdmin = isAdmin
    self.isGuest = isGuest
    self.userType = userType
    self.appserviceID = appserviceID
    self.displayName = displayName
  }
}

/// Reads and writes `users` and the small tables round it.
public final class AccountStore: Sendable {
  private let database: PostgresClient
  private let invalidator: CacheInvalidator

  init(database: PostgresClient, invalidator: CacheInvalidator) {
    self.database = database
    self.invalidator = invalidator
  }

  /// Reads an account by its exact ID; nil when there is none.
  public func account(_ user: UserID) async throws -> Account? {
    try await database.read(Self.selection + " WHERE name = \(user.rawValue)").first.map(Self.decode)
  }

  /// Reads all accounts whose IDs equal `user` when case is ignored. No index does that: it takes the longer the more accounts there are.
  ///
  /// Old servers could register `@Bob:x` beside `@bob:x`; login prefers the exact one and refuses to guess.
  public func accountsIgnoringCase(_ user: UserID) async throws -> [Account] {
    try await database.read(Self.selection + " WHERE lower(name) = lower(\(user.rawValue))").map(Self.decode)
  }

  /// Inserts the account and its profile in one transaction.
  ///
  /// - Throws: `MatrixError` `M_USER_IN_USE` when the ID is taken.
  public func register(_ new: NewAccount, nowMilliseconds: Int64) async throws {
    do {
      try await database.transaction("register_user") { txn in
        txn.enqueue(
          """
          INSERT INTO users (name, password_hash, creation_ts, is_guest, admin, appservice_id, user_type, approved)
          VALUES (\(new.userID.rawValue), \(new.passwordHash), \(nowMilliseconds / 1000), \(new.isGuest ? 1 : 0),
                  \(new.isAdmin ? 1 : 0), \(new.appserviceID), \(new.userType), true)
          """)
        if let name = new.displayName {
          txn.enqueue(
            """
            INSERT INTO profiles (user_id, displayname, full_user_id)
            VALUES (\(new.userID.localpart), \(name), \(new.userID.rawValue))
            ON CONFLICT (user_id) DO NOTHING
            """)
        }
        if !new.isGuest {
          UserDirectoryIndex.enqueueUpdate(of: new.userID, displayName: new.displayName, in: txn)
        }
        try self.invalidator.enqueue([CacheInvalidation("get_user_by_id", [new.userID.rawValue])], in: txn)
      }
    } catch let error as PostgresError where error.isUniqueViolation {
      throw MatrixError.userInUse("User ID already taken.")
    }
  }

  /// Takes the next number for a user ID that the server chooses.
  public func nextGeneratedLocalpart() async throws -> String {
    let rows = try await database.read("SELECT nextval('user_id_seq')")
    guard let row = rows.first else { throw MatrixError.unknown("user_id_seq gave no value") }
    return String(try row.get(0, as: Int64.self))
  }

  /// Replaces the password hash.
  public func setPasswordHash(_ hash: String?, for user: UserID) async throws {
    try await database.transaction("set_password_hash") { txn in
      txn.enqueue("UPDATE users SET password_hash = \(hash) WHERE name = \(user.rawValue)")
      try self.invalidator.enqueue([CacheInvalidation("get_user_by_id", [user.rawValue])], in: txn)
    }
  }

  /// Marks the account deactivated and forgets its password and third-party identifiers.
  public func deactivate(_ user: UserID) async throws {
    try await database.transaction("set_user_deactivated_status") { txn in
      txn.enqueue("UPDATE users SET deactivated = 1, password_hash = NULL WHERE name = \(user.rawValue)")
      txn.enqueue("DELETE FROM user_threepids WHERE user_id = \(user.rawValue)")
      UserDirectoryIndex.enqueueRemoval(of: user, in: txn)
      try self.invalidator.enqueue([CacheInvalidation("get_user_deactivated_status", [user.rawValue])], in: txn)
      try self.invalidator.enqueue([CacheInvalidation("get_user_by_id", [user.rawValue])], in: txn)
      try self.invalidator.enqueue([CacheInvalidation("is_guest", [user.rawValue])], in: txn)
    }
  }

  /// Lists the e-mail addresses and phone numbers bound to an account.
  public func thirdPartyIdentifiers(of user: UserID) async throws -> [ThirdPartyIdentifier] {
    try await database.read(
      "SELECT medium, address, validated_at, added_at FROM user_threepids WHERE user_id = \(user.rawValue)"
    ).map { row in
      let (medium, address, validated, added) = try row.decode(String.self, String.self, Int64.self, Int64.self)
      return ThirdPartyIdentifier(
        medium: medium, address: address, validatedAtMilliseconds: validated, addedAtMilliseconds: added)
    }
  }

  /// Finds the account that an e-mail address or phone number belongs to.
  public func user(withThirdParty medium: String, _ address: String) async throws -> UserID? {
    try await database.read(
      "SELECT user_id FROM user_threepids WHERE medium = \(medium) AND address = \(address)"
    ).first.map { UserID(unchecked: try $0.get(0, as: String.self)) }
  }

  /// Tells whether rate limits are lifted for a user (a row of `ratelimit_override` with null or zero).
  public func hasLiftedRateLimit(_ user: UserID) async throws -> Bool {
    let rows = try await database.read(
      "SELECT messages_per_second FROM ratelimit_override WHERE user_id = \(user.rawValue)")
    guard let row = rows.first else { return false }
    return try row.get(0, as: Int64?.self) ?? 0 == 0
  }

  private static let selection: SQL = """
    SELECT name, password_hash, creation_ts, admin, is_guest, deactivated, locked, suspended,
           coalesce(shadow_banned, false), appservice_id, user_type
    FROM users
    """

  private static func decode(_ row: PostgresRow) throws -> Account {
    Account(
      userID: UserID(unchecked: try row.get(0, as: String.self)), passwordHash: try row.get(1, as: String?.self),
      creationSeconds: try row.get(2, as: Int64?.self), isAdmin: try row.get(3, as: Int64.self) != 0,
      isGuest: try row.get(4, as: Int64.self) != 0, isDeactivated: try row.get(5, as: Int64.self) != 0,
      isLocked: try row.get(6, as: Bool.self), isSuspended: try row.get(7, as: Bool.self),
      isShadowBanned: try row.get(8, as: Bool.self), appserviceID: try row.get(9, as: String?.self),
      userType: try row.get(10, as: String?.self))
  }
}

/// An e-mail address or phone number of an account.
public struct ThirdPartyIdentifier: Sendable {
  /// `email` or `msisdn`.
  public let medium: String
  /// The address or number, in canonical form.
  public let address: String
  /// When it was proved to be the user's, since 1970.
  public let validatedAtMilliseconds: Int64
  /// When it was bound to the account, since 1970.
  public let addedAtMilliseconds: Int64
}
