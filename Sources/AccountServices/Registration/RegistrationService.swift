import MatrixPrimitives
import RateLimits
import Replication
import ServerConfig
import Stores
import Synchronization

/// The creation of accounts.
public final class RegistrationService: Sendable {
  private let config: HomeserverConfig
  private let accounts: AccountStore
  private let tokens: RegistrationTokenStore
  private let sessions: SessionService
  private let clock: ServerClock
  private let welcome: @Sendable (_ user: UserID, _ isGuest: Bool) async -> Void
  private let addressLimiter: RateLimiter
  private let tokenLimiter: RateLimiter
  private let nameQuestions: DelayingLimiter

  init(
    config: HomeserverConfig, accounts: AccountStore, tokens: RegistrationTokenStore, sessions: SessionService,
    clock: ServerClock, welcome: @escaping @Sendable (_ user: UserID, _ isGuest: Bool) async -> Void
  ) {
    self.config = config
    self.accounts = accounts
    self.tokens = tokens
    self.sessions = sessions
    self.clock = clock
    self.welcome = welcome
    addressLimiter = RateLimiter(config.rateLimits.registration, clock: clock)
    tokenLimiter = RateLimiter(config.rateLimits.registrationTokenValidity, clock: clock)
    // As Synapse limits them; no setting changes it.
    nameQuestions = DelayingLimiter(perSecond: 0.5, burst: 1, delay: .seconds(1), mostWaiting: 2, clock: clock)
  }

  /// The stages a client must pass to register.
  var flows: [[Text]] {
    [config.registration.requiresToken ? [Self.tokenStage, "m.login.dummy"] : ["m.login.dummy"]]
  }

  private static let tokenStage = "m.login.registration_token"

  /// Checks one stage of a registration. A registration token is reserved until the account exists.
  ///
  /// - Returns: what the session remembers of the stage.
  /// - Throws: `MatrixError` 401 `M_UNAUTHORIZED` for a token that cannot be used.
  func check(stage: Text, _ auth: JSONValue, session: Text) async throws -> JSON? {
    guard stage == Self.tokenStage else { return .bool(true) }
    let isReserved = try await tokens.reserve(
      try auth.requireString("token"), stage: stage, session: session, nowMilliseconds: clock.nowMilliseconds)
    guard isReserved else {
      throw MatrixError(.unauthorized, "Invalid registration token")
    }
    return nil
  }

  /// Returns whether a registration token could be used now.
  func isValid(token: Text) async throws -> Bool {
    try await tokens.isValid(token, nowMilliseconds: clock.nowMilliseconds)
  }

  /// Refuses an address that registers too often.
  ///
  /// - Parameter count: false to ask without counting.
  func limit(address: Text, count: Bool) throws(MatrixError) {
    try addressLimiter.check(address, count: count)
  }

  /// Refuses an address that asks too often whether tokens are valid.
  func limitTokenQuestions(address: Text) throws(MatrixError) { try tokenLimiter.check(address) }

  /// Lets an address ask whether names are free: at once where it asks seldom, after a second where it asks more, and not at all
  /// while two of its questions wait.
  ///
  /// - Throws: `MatrixError` 429.
  func limitNameQuestions(address: Text) async throws { try await nameQuestions.wait(address) }

  /// Checks that a localpart may be registered now.
  ///
  /// - Throws: `MatrixError` 400 `M_INVALID_USERNAME` or `M_USER_IN_USE`.
  func checkAvailable(_ localpart: Text, revealUse: Bool = true) async throws {
    try UsernameRules.check(
      localpart, serverName: config.serverName,
      allowUnderscorePrefix: config.registration.allowsUnderscorePrefix)
    let user = UserID(unchecked: "@\(localpart):\(config.serverName)")
    if revealUse, try await !accounts.accountsIgnoringCase(user).isEmpty {
      throw MatrixError.userInUse("User ID already taken.")
    }
  }

  /// What an account is registered with.
  public struct Submission: Sendable {
    /// The chosen name, lower case; nil for one that the server chooses.
    public var localpart: Text?
    /// The bcrypt hash; nil for an account without a password.
    public var passwordHash: Text?
    /// Whether the account is a server administrator's.
    public var isAdmin = false
    /// Whether the account is a guest's.
    public var isGuest = false
    /// `support`, `bot` or nil.
    public var userType: Text?
    /// The name to show; nil for the localpart.
    public var displayName: Text?

    /// Collects what every registration has.
    public init(localpart: Text?, passwordHash: Text? = nil) {
      self.localpart = localpart
      self.passwordHash = passwordHash
    }
  }

  /// Registers the account of a completed session of interactive authentication.
  ///
  /// - Returns: the new user's ID; that of the first request where several complete the same session.
  func register(_ submission: Submission, session: Text, address: Text) async throws -> UserID {
    try await store(submission, completing: session, isApproved: isApprovedAtOnce, address: address)
  }

  /// Registers a guest, where the configuration allows guests.
  ///
  /// - Throws: `MatrixError` 403.
  func registerGuest(address: Text) async throws -> UserID {
    guard config.registration.allowsGuests else { throw MatrixError.forbidden("Guest access is disabled") }
    var submission = Submission(localpart: nil, passwordHash: nil)
    submission.isGuest = true
    return try await store(submission, completing: nil, isApproved: isApprovedAtOnce, address: address)
  }

  /// Registers an account for an administrator, who lifts limits and approves at once.
  func registerByAdministrator(_ submission: Submission) async throws -> UserID {
    try await store(submission, completing: nil, isApproved: true, address: nil)
  }

  /// Whether new accounts need no administrator's approval.
  var isApprovedAtOnce: Bool { !config.experimental.requiresApproval }

  /// Finds the account that a session has made already.
  func registered(by session: UserInteractiveAuth.Kept?) -> UserID? {
    session.flatMap { RegisteredUser.find(in: $0.serverData) }
  }

  /// The call by which workers of Synapse report that they registered a user. What their main process does then concerns threepids and
  /// consent, which a registration here cannot bring; they are answered so that they can register users.
  var calls: [ServedCall] { [ServedCall(AccountRegistered.self) { _ in EmptyAnswer() }] }

  private func store(
    _ submission: Submission, completing session: Text?, isApproved: Bool, address: Text?
  ) async throws -> UserID {
    let localpart: Text
    if let chosen = submission.localpart {
      try await checkAvailable(chosen, unlessExact: session != nil)
      localpart = chosen
    } else {
      localpart = try await freeLocalpart()
    }
    let new = NewAccount(
      userID: UserID(unchecked: "@\(localpart):\(config.serverName)"), passwordHash: submission.passwordHash,
      isAdmin: submission.isAdmin, isGuest: submission.isGuest, isApproved: isApproved, userType: submission.userType,
      displayName: submission.displayName ?? localpart)
    let admission = Admission { [addressLimiter] () throws(MatrixError) in
      if let address { try addressLimiter.check(address) }
    }
    let user = try await accounts.register(
      new, completing: session.map { .init(id: $0, tokenStage: Self.tokenStage) },
      nowMilliseconds: clock.nowMilliseconds, admit: admission.ask)
    await welcome(user, submission.isGuest)
    return user
  }

  /// Checks a chosen name once more. With a session the account may be the one that it has made: whether it is, is for the transaction to say.
  private func checkAvailable(_ localpart: Text, unlessExact: Bool) async throws {
    try await checkAvailable(localpart, revealUse: !unlessExact)
    guard unlessExact else { return }
    let user = UserID(unchecked: "@\(localpart):\(config.serverName)")
    guard try await accounts.accountsIgnoringCase(user).allSatisfy({ $0.userID == user }) else {
      throw MatrixError.userInUse("User ID already taken.")
    }
  }

  private func freeLocalpart() async throws -> Text {
    for _ in 0..<10 {
      let localpart = try await accounts.nextGeneratedLocalpart()
      let user = UserID(unchecked: "@\(localpart):\(config.serverName)")
      if try await accounts.accountsIgnoringCase(user).isEmpty { return localpart }
    }
    throw MatrixError.unknown("Unable to find a free user ID")
  }
}

/// The single use of a limiter by a transaction that may be repeated.
private final class Admission: Sendable {
  private let limit: @Sendable () throws(MatrixError) -> Void
  private let isAdmitted = Mutex(false)

  init(_ limit: @escaping @Sendable () throws(MatrixError) -> Void) { self.limit = limit }

  @Sendable func ask() throws {
    try isAdmitted.withLock { isAdmitted in
      if isAdmitted { return }
      try limit()
      isAdmitted = true
    }
  }
}
