import MatrixPrimitives
import ServerConfig
import Stores

/// Makes accounts.
public final class RegistrationService: Sendable {
  private let config: HomeserverConfig
  private let storage: Storage
  private let sessions: SessionService
  private let clock: ServerClock
  private let addressLimiter: RateLimiter
  private let tokenLimiter: RateLimiter

  init(config: HomeserverConfig, storage: Storage, sessions: SessionService, clock: ServerClock) {
    self.config = config
    self.storage = storage
    self.sessions = sessions
    self.clock = clock
    addressLimiter = RateLimiter(config.rateLimits.registration, clock: clock)
    tokenLimiter = RateLimiter(config.rateLimits.registrationTokenValidity, clock: clock)
  }

  /// The stages a client must pass to register.
  public var flows: [[String]] {
    [config.registration.requiresToken ? [Self.tokenStage, "m.login.dummy"] : ["m.login.dummy"]]
  }

  private static let tokenStage = "m.login.registration_token"

  /// Checks one stage of a registration. A registration token is reserved until the account exists.
  ///
  /// - Returns: what the session remembers of the stage.
  /// - Throws: `MatrixError` 401 `M_UNAUTHORIZED` for a token that cannot be used.
  public func check(stage: String, _ auth: JSONValue) async throws -> JSON {
    guard stage == Self.tokenStage else { return .bool(true) }
    let token = try auth.requireString("token")
    guard try await storage.registrationTokens.reserve(token, nowMilliseconds: clock.nowMilliseconds) else {
      throw MatrixError.custom(
        status: 401, errcode: "M_UNAUTHORIZED", message: "Invalid registration token", extras: [:])
    }
    return .string(token)
  }

  /// Tells whether a registration token could be used now.
  public func isValid(token: String) async throws -> Bool {
    try await storage.registrationTokens.isValid(token, nowMilliseconds: clock.nowMilliseconds)
  }

  /// Counts the token of a finished registration as used.
  public func consumeToken(of completed: UserInteractiveAuth.Completed) async throws {
    guard let token = completed.stages[Self.tokenStage]?.string else { return }
    try await storage.registrationTokens.complete(token)
    try await storage.userInteractiveAuth.complete(
      stage: Self.tokenStage, result: .bool(true), session: completed.sessionID)
  }

  /// Refuses an address that registers too often.
  ///
  /// - Parameter count: false to ask without counting.
  public func limit(address: String, count: Bool) throws(MatrixError) {
    try addressLimiter.check(address, count: count)
  }

  /// Refuses an address that asks too often whether tokens are valid.
  public func limitTokenQuestions(address: String) throws(MatrixError) { try tokenLimiter.check(address) }

  /// Checks that a localpart may be registered now.
  ///
  /// - Throws: `MatrixError` 400 `M_INVALID_USERNAME` or `M_USER_IN_USE`.
  public func checkAvailable(_ localpart: String, revealUse: Bool = true) async throws {
    try UsernameRules.check(
      localpart, serverName: config.serverName,
      allowUnderscorePrefix: config.registration.allowsUnderscorePrefix)
    let user = UserID(unchecked: "@\(localpart):\(config.serverName)")
    if revealUse, try await !storage.accounts.accountsIgnoringCase(user).isEmpty {
      throw MatrixError.userInUse("User ID already taken.")
    }
  }

  /// Registers an account.
  ///
  /// - Parameters:
  ///   - localpart: the chosen name, lower case; nil for one that the server chooses.
  ///   - byAdministrator: lifts the rate limit.
  /// - Returns: the new user's ID.
  public func register(
    localpart: String?, passwordHash: String?, isAdmin: Bool = false, userType: String? = nil,
    displayName: String? = nil, address: String?, byAdministrator: Bool = false
  ) async throws -> UserID {
    if let address, !byAdministrator { try addressLimiter.check(address) }
    guard let localpart else {
      return try await registerGenerated(passwordHash: passwordHash, displayName: displayName)
    }
    try await checkAvailable(localpart)
    let user = UserID(unchecked: "@\(localpart):\(config.serverName)")
    try await storage.accounts.register(
      NewAccount(
        userID: user, passwordHash: passwordHash, isAdmin: isAdmin, userType: userType,
        displayName: displayName ?? localpart),
      nowMilliseconds: clock.nowMilliseconds)
    return user
  }

  /// Opens the first session of a new account, as `/register` does unless told not to.
  public func openSession(
    for user: UserID, deviceID: String?, displayName: String?, wantsRefreshToken: Bool
  ) async throws -> NewSession {
    try await sessions.open(
      user: user, deviceID: deviceID, displayName: displayName, wantsRefreshToken: wantsRefreshToken)
  }

  private func registerGenerated(passwordHash: String?, displayName: String?) async throws -> UserID {
    for _ in 0..<10 {
      let localpart = try await storage.accounts.nextGeneratedLocalpart()
      let user = UserID(unchecked: "@\(localpart):\(config.serverName)")
      guard try await storage.accounts.accountsIgnoringCase(user).isEmpty else { continue }
      try await storage.accounts.register(
        NewAccount(userID: user, passwordHash: passwordHash, displayName: displayName ?? localpart),
        nowMilliseconds: clock.nowMilliseconds)
      return user
    }
    throw MatrixError.unknown("Unable to find a free user ID")
  }
}
