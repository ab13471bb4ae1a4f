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
  private let stages: VerificationStages
  private let consents: ConsentStore
  private let thirdParties: ThirdPartyStore
  /// The alternatives of stages that a client must pass to register.
  let flows: [[Text]]
  private let sessions: SessionService
  private let clock: ServerClock
  private let welcome: @Sendable (_ user: UserID, _ isGuest: Bool) async -> Void
  private let addressLimiter: RateLimiter
  private let tokenLimiter: RateLimiter
  private let nameQuestions: DelayingLimiter

  init(
    config: HomeserverConfig, stores: AccountStores, stages: VerificationStages, sessions: SessionService,
    clock: ServerClock, welcome: @escaping @Sendable (_ user: UserID, _ isGuest: Bool) async -> Void
  ) {
    self.config = config
    accounts = stores.accounts
    tokens = stores.registrationTokens
    consents = stores.consents
    thirdParties = stores.thirdParties
    self.stages = stages
    flows = Self.flows(config, stages)
    self.sessions = sessions
    self.clock = clock
    self.welcome = welcome
    addressLimiter = RateLimiter(config.rateLimits.registration, clock: clock)
    tokenLimiter = RateLimiter(config.rateLimits.registrationTokenValidity, clock: clock)
    // As Synapse limits them; no setting changes it.
    nameQuestions = DelayingLimiter(perSecond: 0.5, burst: 1, delay: .seconds(1), mostWaiting: 2, clock: clock)
  }

  /// Lists the stages: the alternatives of addresses, and before them what everybody has to pass.
  ///
  /// The dummy stage keeps who has passed the others first from being registered without the address that was to come (as Synapse).
  private static func flows(_ config: HomeserverConfig, _ stages: VerificationStages) -> [[Text]] {
    let identity = config.identity
    let needsNumber = identity.required.contains("msisdn") && !identity.registersWithoutNumbers
    let needsEmail = identity.required.contains("email")
    let offersNumber = stages.checksNumbers && !identity.registersWithoutNumbers
    var flows: [[Text]] = []
    if !needsEmail, !needsNumber { flows.append([VerificationStages.dummy]) }
    if stages.checksEmail, !needsNumber { flows.append([VerificationStages.email]) }
    if offersNumber, !needsEmail { flows.append([VerificationStages.msisdn]) }
    if stages.checksEmail, offersNumber { flows.append([VerificationStages.msisdn, VerificationStages.email]) }
    if identity.tokenReplacesAddresses { flows.append([VerificationStages.token]) }
    var before: [Text] = []
    if config.consent.isRequiredAtRegistration { before.insert(VerificationStages.terms, at: 0) }
    if config.captcha.isRequired { before.insert(VerificationStages.recaptcha, at: 0) }
    return flows.map { flow in
      let needsToken = config.registration.requiresToken && !flow.contains(VerificationStages.token)
      return (needsToken ? [VerificationStages.token] : []) + before + flow
    }
  }

  /// Checks one stage of a registration.
  ///
  /// - Returns: what the session remembers of the stage.
  func check(stage: Text, _ auth: JSONValue, session: Text, address: Text) async throws -> JSON? {
    try await stages.check(stage, auth, session: session, address: address)
  }

  /// What the stages of a registration have brought.
  struct Brought {
    var identifiers: [ProvedIdentifier] = []
    var consentVersion: Text?
  }

  /// Collects what the stages have brought.
  ///
  /// - Throws: `MatrixError` 403 `M_THREEPID_DENIED` for an address that may not be an account's here.
  func brought(_ completed: [Text: JSON]) throws(MatrixError) -> Brought {
    var brought = Brought()
    for stage in [VerificationStages.email, VerificationStages.msisdn] {
      guard var proved = VerificationStages.proved(stage, in: completed) else { continue }
      guard config.identity.allows(proved.medium, proved.address) else {
        throw MatrixError(
          .threepidDenied, "Third party identifiers (email/phone numbers) are not authorized on this server")
      }
      proved.address = try ThirdPartyAddress.canonical(proved.medium, proved.address)
      brought.identifiers.append(proved)
    }
    if completed[VerificationStages.terms] != nil { brought.consentVersion = config.consent.version }
    return brought
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
    /// What the stages have brought.
    var brought = Brought()

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

  /// Registers the account of somebody whom another service of the administrator's knows.
  func registerByService(localpart: Text, displayName: Text?) async throws -> UserID {
    var submission = Submission(localpart: localpart)
    submission.displayName = displayName
    return try await store(submission, completing: nil, isApproved: isApprovedAtOnce, address: nil)
  }

  /// Whether new accounts need no administrator's approval.
  var isApprovedAtOnce: Bool { !config.experimental.requiresApproval }

  /// Finds the account that a session has made already.
  func registered(by session: UserInteractiveAuth.Kept?) -> UserID? {
    session.flatMap { RegisteredUser.find(in: $0.serverData) }
  }

  /// The call by which workers of Synapse report that they registered a user, with addresses and the agreement to the policy, which are for
  /// the main process to store. Our own store them with the account.
  var calls: [ServedCall] { [ServedCall(AccountRegistered.self) { try await self.complete($0) }] }

  private func complete(_ call: AccountRegistered) async throws -> EmptyAnswer {
    let (user, now) = (UserID(unchecked: call.userID), clock.nowMilliseconds)
    let brought = try brought(call.stages.members ?? [:])
    for identifier in brought.identifiers {
      try await thirdParties.add(
        identifier.medium, identifier.address, to: user, validatedAtMilliseconds: identifier.validatedAtMilliseconds,
        nowMilliseconds: now)
    }
    if let version = brought.consentVersion {
      try await consents.agree(user, to: version, nowMilliseconds: now)
    }
    return EmptyAnswer()
  }

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
      displayName: submission.displayName ?? localpart, identifiers: submission.brought.identifiers,
      consentVersion: submission.brought.consentVersion)
    let admission = Admission { [addressLimiter] () throws(MatrixError) in
      if let address { try addressLimiter.check(address) }
    }
    let user = try await accounts.register(
      new, completing: session.map { .init(id: $0, tokenStage: VerificationStages.token) },
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
