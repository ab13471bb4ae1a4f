import MatrixPrimitives
import PasswordHashing
import RateLimits
import ServerConfig
import Stores

/// Password checks and the opening of sessions.
public final class LoginService: Sendable {
  private let config: HomeserverConfig
  private let stores: AccountStores
  private let sessions: SessionService
  private let hasher: PasswordHasher
  private let addressLimiter: RateLimiter
  private let accountLimiter: RateLimiter
  private let failureLimiter: RateLimiter

  init(
    config: HomeserverConfig, stores: AccountStores, sessions: SessionService, hasher: PasswordHasher,
    clock: ServerClock
  ) {
    self.config = config
    self.stores = stores
    self.sessions = sessions
    self.hasher = hasher
    addressLimiter = RateLimiter(config.rateLimits.loginAddress, clock: clock)
    accountLimiter = RateLimiter(config.rateLimits.loginAccount, clock: clock)
    failureLimiter = RateLimiter(config.rateLimits.loginFailedAttempts, clock: clock)
  }

  /// The login types that `GET /login` offers.
  public var flows: [Text] {
    config.passwords.allowsLogin && config.passwords.usesLocalDatabase ? ["m.login.password"] : []
  }

  /// A login that succeeded.
  public struct Result: Sendable {
    /// The user, as registered.
    public let userID: UserID
    /// The new session.
    public let session: NewSession
  }

  /// Logs a user in as `POST /login` asks.
  ///
  /// - Parameter address: the client's address, which is limited by itself.
  /// - Throws: `MatrixError` 403 `M_FORBIDDEN` for a wrong name or password (the same sentence for both), 403
  ///   `M_USER_DEACTIVATED`, 401 `M_USER_LOCKED`, 429, and 400 for a body that makes no sense.
  public func logIn(_ body: JSONValue, address: Text) async throws -> Result {
    let type = try body.requireString("type")
    let wantsRefresh = try body.optionalBool("refresh_token") ?? false
    guard type == "m.login.password" else {
      throw MatrixError.invalidParam("Unknown login type \(type)")
    }
    try addressLimiter.check(address)
    let account = try await checkedAccount(body, limited: true, isReauthentication: false)
    let user = account.userID
    try accountLimiter.check(user.rawValue.asciiLowercased)
    if config.experimental.requiresApproval, !account.isApproved {
      throw MatrixError.awaitingApproval("This account is pending approval by a server administrator.")
    }
    let device = try body.optionalString("device_id")
    let session = try await sessions.open(
      SessionRequest(
        userID: user, deviceID: device,
        displayName: try body.optionalString("initial_device_display_name"), wantsRefreshToken: wantsRefresh))
    // The password may have been changed, or the account closed, while it was checked.
    guard let hash = account.passwordHash, try await stores.sessions.hasPassword(hash, user) else {
      try await stores.accessTokens.delete(session.accessToken)
      if device == nil { try await sessions.close(device: session.deviceID, of: user) }
      throw Self.wrong
    }
    return Result(userID: user, session: session)
  }

  /// Checks the identifier and password of a login or of the stage `m.login.password`.
  ///
  /// - Returns: the user ID as it was registered.
  public func checkPassword(
    _ body: JSONValue, limited: Bool = false, isReauthentication: Bool = false
  ) async throws -> UserID {
    try await checkedAccount(body, limited: limited, isReauthentication: isReauthentication).userID
  }

  private func checkedAccount(_ body: JSONValue, limited: Bool, isReauthentication: Bool) async throws -> Account {
    let isAllowed =
      isReauthentication ? config.passwords.allowsReauthentication : config.passwords.allowsLogin
    guard isAllowed, config.passwords.usesLocalDatabase else {
      throw MatrixError.unknown("Password login has been disabled.", status: 400)
    }
    let password = try body.requireString("password")
    guard let user = try await identifiedUser(body) else { throw Self.wrong }
    let key = user.rawValue.asciiLowercased
    // Counted before the password is looked at, so that of many attempts at the same time no more are answered than one after the other.
    if limited { try failureLimiter.check(key) }
    let account: Account
    do {
      account = try await matching(user, password)
    } catch {
      let isFailure = (error as? MatrixError)?.code == Self.wrong.code
      if limited, !isFailure { failureLimiter.giveBack(key) }
      throw error
    }
    if limited { failureLimiter.giveBack(key) }
    if account.isDeactivated { throw MatrixError(.userDeactivated, "This account has been deactivated") }
    if account.isLocked { throw MatrixError.userLocked() }
    return account
  }

  /// Finds the account that a name means and a password belongs to.
  private func matching(_ user: UserID, _ password: Text) async throws -> Account {
    guard let account = try await account(user), let hash = account.passwordHash else {
      // The time of a hash is spent all the same, so that the time does not reveal which names exist.
      _ = try await hasher.verify(password, against: unmatchableHash)
      throw Self.wrong
    }
    guard try await hasher.verify(password, against: hash) else { throw Self.wrong }
    return account
  }

  /// A hash in the right form, and at the configured cost, that no password has.
  private var unmatchableHash: Text {
    let rounds: Text = config.bcryptRounds < 10 ? "0\(config.bcryptRounds)" : Text(config.bcryptRounds)
    return "$2b$\(rounds)$\(Text(repeating: ".", count: 53))"
  }

  private static let wrong = MatrixError.forbidden("Invalid username or password")

  /// Finds whom a body means, by `identifier` or by the old members `user`, `medium` and `address`.
  private func identifiedUser(_ body: JSONValue) async throws -> UserID? {
    guard let identifier = try body.optionalObject("identifier") else {
      if let name = try body.optionalString("user") { return try qualified(name) }
      let medium = try body.optionalString("medium")
      guard let medium, let address = try body.optionalString("address") else {
        throw MatrixError.invalidParam("Missing identifier")
      }
      return try await stores.accounts.user(withThirdParty: medium, Self.canonical(medium, address))
    }
    switch try identifier.requireString("type") {
    case "m.id.user":
      return try qualified(identifier.requireString("user"))
    case "m.id.thirdparty":
      let medium = try identifier.requireString("medium")
      let address = Self.canonical(medium, try identifier.requireString("address"))
      return try await stores.accounts.user(withThirdParty: medium, address)
    case let other:
      throw MatrixError.invalidParam("Unknown login identifier type \(other)")
    }
  }

  /// Folds an address as it was when it was bound to the account, which is by Unicode's rule (Synapse stores it so).
  private static func canonical(_ medium: Text, _ address: Text) -> Text {
    medium == "email" ? Text(address.string.lowercased()) : address
  }

  private func qualified(_ name: Text) throws(MatrixError) -> UserID? {
    guard !name.isEmpty else { throw .invalidParam("User identifier is missing 'user' key") }
    guard let user = UserID(name.hasPrefix("@") ? name : "@\(name):\(config.serverName)") else { return nil }
    return user.serverName == config.serverName ? user : nil
  }

  /// Prefers the exact name; otherwise the only one that differs in case alone.
  private func account(_ user: UserID) async throws -> Account? {
    if let exact = try await stores.accounts.account(user) { return exact }
    let others = try await stores.accounts.accountsIgnoringCase(user)
    return others.count == 1 ? others.first : nil
  }
}
