import MatrixPrimitives
import Postgres

/// What a registration writes.
public struct NewAccount: Sendable {
  /// The full user ID.
  public var userID: UserID
  /// The bcrypt hash; nil for an account without a password.
  public var passwordHash: Text?
  /// Whether the account is a server administrator's.
  public var isAdmin: Bool
  /// Whether the account is a guest's.
  public var isGuest: Bool
  /// Whether the account may be used without an administrator's approval.
  public var isApproved: Bool
  /// `support`, `bot` or nil.
  public var userType: Text?
  /// The display name of the new profile; nil leaves the profile without one.
  public var displayName: Text?
  /// The addresses that the user has proved to own.
  public var identifiers: [ProvedIdentifier]
  /// The version of the policy that the user has agreed to.
  public var consentVersion: Text?

  /// Collects the values of a registration.
  public init(
    userID: UserID, passwordHash: Text?, isAdmin: Bool = false, isGuest: Bool = false, isApproved: Bool = true,
    userType: Text? = nil, displayName: Text?, identifiers: [ProvedIdentifier] = [], consentVersion: Text? = nil
  ) {
    self.userID = userID
    self.passwordHash = passwordHash
    self.isAdmin = isAdmin
    self.isGuest = isGuest
    self.isApproved = isApproved
    self.userType = userType
    self.displayName = displayName
    self.identifiers = identifiers
    self.consentVersion = consentVersion
  }
}

/// An address that somebody has proved to own.
public struct ProvedIdentifier: Sendable, Hashable {
  /// `email` or `msisdn`.
  public var medium: Text
  /// The address in its canonical form.
  public var address: Text
  /// The time of the proof, since 1970.
  public var validatedAtMilliseconds: Int64

  /// Collects what was proved.
  public init(medium: Text, address: Text, validatedAtMilliseconds: Int64) {
    self.medium = medium
    self.address = address
    self.validatedAtMilliseconds = validatedAtMilliseconds
  }
}

/// The account that a session of interactive authentication has made, as the session remembers it (Synapse's key).
public enum RegisteredUser {
  static let key = "registered_user_id"

  /// Finds the account in what the server keeps with a session.
  public static func find(in serverData: JSON) -> UserID? { serverData[key]?.string.flatMap { UserID($0) } }
}

extension AccountStore {
  /// The session of interactive authentication that a registration completes.
  public struct CompletedSession: Sendable {
    /// The session's id.
    public let id: Text
    /// The stage whose registration token is counted as used.
    public let tokenStage: Text

    /// Creates a session.
    public init(id: Text, tokenStage: Text) {
      self.id = id
      self.tokenStage = tokenStage
    }
  }

  /// Inserts the account and its profile in one transaction, and counts with it what the registration uses up.
  ///
  /// - Parameters:
  ///   - session: makes one account: the first request inserts it, every other, also one at the same time, gets the same.
  ///   - admit: called when the account is really to be made; what it throws leaves everything as it is.
  /// - Returns: the account of the session.
  /// - Throws: `MatrixError` `M_USER_IN_USE` when the ID is taken, `M_THREEPID_IN_USE` when an address is.
  public func register(
    _ new: NewAccount, completing session: CompletedSession?, nowMilliseconds: Int64,
    admit: @escaping @Sendable () throws -> Void
  ) async throws -> UserID {
    do {
      return try await database.transaction("register_user", isolation: .readCommitted) { txn in
        if let session {
          guard let kept = try UserInteractiveAuthStore.serverData(of: session.id, in: txn) else {
            throw MatrixError.unknown("Unknown session ID", status: 400)
          }
          if let made = RegisteredUser.find(in: kept) { return made }
        }
        try admit()
        try self.insert(new, nowMilliseconds, in: txn)
        if let session {
          try RegistrationTokenStore.complete(stage: session.tokenStage, session: session.id, in: txn)
          try UserInteractiveAuthStore.setServerData(
            RegisteredUser.key, .string(new.userID.rawValue), of: session.id, in: txn)
        }
        return new.userID
      }
    } catch let error as PostgresError where error.isUniqueViolation {
      throw MatrixError.userInUse("User ID already taken.")
    }
  }

  private func insert(_ new: NewAccount, _ nowMilliseconds: Int64, in txn: Transaction) throws {
    txn.enqueue(
      """
      INSERT INTO users
        (name, password_hash, creation_ts, is_guest, admin, user_type, approved, consent_version, consent_ts)
      VALUES (\(new.userID.rawValue), \(new.passwordHash), \(nowMilliseconds / 1000), \(new.isGuest ? 1 : 0),
              \(new.isAdmin ? 1 : 0), \(new.userType), \(new.isApproved), \(new.consentVersion),
              \(new.consentVersion.map { _ in nowMilliseconds }))
      """)
    for identifier in new.identifiers {
      try ThirdPartyStore.add(
        identifier.medium, identifier.address, to: new.userID,
        validatedAtMilliseconds: identifier.validatedAtMilliseconds, nowMilliseconds: nowMilliseconds, in: txn)
    }
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
    try invalidator.enqueue([CacheInvalidation("get_user_by_id", [new.userID.rawValue])], in: txn)
  }
}
