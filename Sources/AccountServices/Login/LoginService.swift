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
  private let registration: RegistrationService
  private let webTokens: JSONWebTokenChecker?
  private let clock: ServerClock
  private let addressLimiter: RateLimiter
  private let accountLimiter: RateLimiter
  private let failureLimiter: RateLimiter

  init(
    config: HomeserverConfig, stores: AccountStores, sessions: SessionService, registration: RegistrationService,
    hasher: PasswordHasher, clock: ServerClock
  ) {
    self.config = config
    self.stores = stores
    self.sessions = sessions
    self.hasher = hasher
    self.registration = registration
    self.clock = clock
    webTokens = config.jwt.map { JSONWebTokenChecker($0) }
    addressLimiter = RateLimiter(config.rateLimits.loginAddress, clock: clock)
    accountLimiter = RateLimiter(config.rateLimits.loginAccount, clock: clock)
    failureLimiter = RateLimiter(config.rateLimits.loginFailedAttempts, clock: clock)
  }

  private static let webTokenType = "org.matrix.login.jwt"
  private static let tokenType = "m.login.token"
  private static let passwordType = "m.login.password"

  /// The flows that `GET /login` offers.
  public var flows: [JSON] {
    var flows: [JSON] = []
    if webTokens != nil { flows.append(["type": .string(Self.webTokenType)]) }
    if config.sessions.allowsLoginTokens { flows.append(["type": .string(Self.tokenType), "get_login_token": true]) }
    if config.passwords.allowsLogin, config.passwords.usesLocalDatabase {
      flows.append(["type": .string(Self.passwordType)])
    }
    return flows
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
    _ = try body.optionalBool("refresh_token")
    switch type {
    case Self.passwordType: return try await logInByPassword(body, address)
    case Self.tokenType: return try await logInByToken(body, address)
    case Self.webTokenType, "m.login.jwt":
      if let webTokens { return try await logIn(by: webTokens, body, address) }
    default: break
    }
    throw MatrixError.invalidParam("Unknown login type \(type)")
  }

  private func logInByPassword(_ body: JSONValue, _ address: Text) async throws -> Result {
    try addressLimiter.check(address)
    let account = try await checkedAccount(body, limited: true, isReauthentication: false)
    let user = account.userID
    let device = try body.optionalString("device_id")
    let session = try await open(account, body, provider: nil)
    // The password may have been changed, or the account closed, while it was checked.
    guard let hash = account.passwordHash, try await stores.sessions.hasPassword(hash, user) else {
      try await stores.accessTokens.delete(session.accessToken)
      if device == nil { try await sessions.close(device: session.deviceID, of: user) }
      throw Self.wrong
    }
    return Result(userID: user, session: session)
  }

  /// Logs in by a token that another client of the user's was given. The token is used up, whatever becomes of the login.
  private func logInByToken(_ body: JSONValue, _ address: Text) async throws -> Result {
    try addressLimiter.check(address)
    let token = try body.requireString("token")
    guard token.utf8.count <= 1024,
      let used = try await stores.loginTokens.use(token, nowMilliseconds: clock.nowMilliseconds),
      let account = try await stores.accounts.account(used.user)
    else { throw MatrixError.forbidden("Invalid login token") }
    let device = try body.optionalString("device_id")
    let session = try await open(account, body, provider: used.provider)
    // The user's sessions may have been ended while this one was opened.
    guard try await stores.loginTokens.isKept(token) else {
      try await stores.accessTokens.delete(session.accessToken)
      if device == nil { try await sessions.close(device: session.deviceID, of: used.user) }
      throw MatrixError.forbidden("Invalid login token")
    }
    return Result(userID: used.user, session: session)
  }

  /// Logs in by a token of another service, which makes an account for a user who has none.
  private func logIn(by checker: JSONWebTokenChecker, _ body: JSONValue, _ address: Text) async throws -> Result {
    try addressLimiter.check(address)
    guard let token = try body.optionalString("token") else {
      throw MatrixError.forbidden("Token field for JWT is missing")
    }
    let subject = try checker.check(token, nowMilliseconds: clock.nowMilliseconds)
    guard !subject.localpart.utf8.contains(0), let user = try qualified("@\(subject.localpart):\(config.serverName)")
    else {
      throw MatrixError.invalidUsername("Invalid username")
    }
    let account: Account
    if let known = try await self.account(user) { account = known } else { account = try await register(subject, user) }
    return Result(userID: account.userID, session: try await open(account, body, provider: nil))
  }

  private func register(_ subject: JSONWebTokenChecker.Subject, _ user: UserID) async throws -> Account {
    do {
      // A name that nobody could choose is none.
      let name = subject.displayName.flatMap { name in
        name.utf8.contains(0) || name.unicodeScalars.count > ProfileService.maximumDisplayNameLength ? nil : name
      }
      _ = try await registration.registerByService(localpart: subject.localpart, displayName: name)
    } catch let error as MatrixError where error.code == .userInUse {
      // Another login of the user's has made the account just now.
    }
    guard let account = try await stores.accounts.account(user) else { throw Self.wrong }
    return account
  }

  /// Opens the session of somebody who has shown who they are.
  private func open(_ account: Account, _ body: JSONValue, provider: AuthProviderSession?) async throws -> NewSession {
    try accountLimiter.check(account.userID.rawValue.asciiLowercased)
    if account.isDeactivated { throw MatrixError(.userDeactivated, "This account has been deactivated") }
    if account.isLocked { throw MatrixError.userLocked() }
    if config.experimental.requiresApproval, !account.isApproved {
      throw MatrixError.awaitingApproval("This account is pending approval by a server administrator.")
    }
    var request = SessionRequest(
      userID: account.userID, deviceID: try body.optionalString("device_id"),
      displayName: try body.optionalString("initial_device_display_name"),
      wantsRefreshToken: try body.optionalBool("refresh_token") ?? false)
    request.authProvider = provider
    return try await sessions.open(request)
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
    case "m.id.phone":
      // Synapse also takes the number's old name.
      guard let phone = try identifier.optionalString("phone") ?? identifier.optionalString("number") else {
        throw MatrixError.invalidParam("Invalid phone-type identifier")
      }
      let number = try PhoneNumber.international(phone, country: try identifier.requireString("country"))
      return try await stores.accounts.user(withThirdParty: "msisdn", number)
    case let other:
      throw MatrixError.invalidParam("Unknown login identifier type \(other)")
    }
  }

  /// Folds an address as it was when it was bound to the account, which is by Unicode's rule (Synapse stores it so).
  private static func canonical(_ medium: Text, _ address: Text) -> Text {
    medium == "email" ? ThirdPartyAddress.folded(address) : address
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
