import MatrixPrimitives
import PasswordHashing
import ServerConfig

/// An account that was registered, and its first session.
public struct RegisteredAccount: Sendable {
  /// The new user.
  public let userID: UserID
  /// The session; nil when the client wanted none.
  public let session: NewSession?
}

/// Registration as clients ask for it: over several requests, with the stages of interactive authentication.
public final class RegistrationFlow: Sendable {
  private static let passwordHashKey = "password_hash"
  /// The device of guests, who do not choose one, named as on Synapse.
  private static let guestDevice = "guest_device"

  private let config: HomeserverConfig
  private let registration: RegistrationService
  private let sessions: SessionService
  private let interactiveAuth: UserInteractiveAuth
  private let policy: PasswordPolicy
  private let hasher: PasswordHasher

  init(
    config: HomeserverConfig, registration: RegistrationService, sessions: SessionService,
    interactiveAuth: UserInteractiveAuth, policy: PasswordPolicy, hasher: PasswordHasher
  ) {
    self.config = config
    self.registration = registration
    self.sessions = sessions
    self.interactiveAuth = interactiveAuth
    self.policy = policy
    self.hasher = hasher
  }

  // MARK: Questions

  /// Checks that a name may be registered.
  ///
  /// - Throws: `MatrixError` 403 when registration is disabled, 400 `M_INVALID_USERNAME`, `M_USER_IN_USE` or `M_MISSING_PARAM`,
  ///   429 for an address that asks too often.
  public func checkAvailable(_ name: Text?, address: Text) async throws {
    try requireEnabled()
    if config.registration.hidesUserInUse { return }
    try await registration.limitNameQuestions(address: address)
    guard let name else { throw MatrixError.missingParam("Missing required query parameter 'username'") }
    try await registration.checkAvailable(name)
  }

  /// Returns whether a registration token could be used now.
  ///
  /// - Throws: `MatrixError` 403 when registration is disabled, 429 for an address that asks too often, and what `token` throws.
  public func isValid(token: () throws -> Text, address: Text) async throws -> Bool {
    try requireEnabled()
    try registration.limitTokenQuestions(address: address)
    return try await registration.isValid(token: try token())
  }

  private func requireEnabled() throws(MatrixError) {
    guard config.registration.isEnabled else { throw .forbidden("Registration has been disabled") }
  }

  // MARK: Users

  /// Registers a user once all stages are passed. A repeated last request gets the same account.
  ///
  /// - Parameters:
  ///   - body: the request's body.
  ///   - uri: the path with its query, which must stay the same through all stages.
  ///   - hasToken: whether the request carries an access token, which it must not.
  ///   - client: the client that asks.
  /// - Throws: `UserInteractiveAuth.Incomplete` while stages are missing; `MatrixError` 400 for what cannot be registered, 403 when
  ///   registration is disabled or an administrator has to approve the account first, 429.
  public func register(
    _ body: JSONValue, uri: Text, hasToken: Bool, client: Authenticator.Client
  ) async throws -> RegisteredAccount {
    try registration.limit(address: client.ip, count: false)
    if hasToken {
      throw MatrixError.unknown("An access token should not be provided on requests to /register", status: 400)
    }
    try requireEnabled()
    let submission = try RegistrationRequest(body)
    if let password = submission.password { try policy.check(password) }
    if let account = try await earlierAccount(body) { return account }
    if let name = submission.username {
      do {
        try await registration.checkAvailable(name, revealUse: !config.registration.hidesUserInUse)
      } catch let error as MatrixError {
        // Another request of the same session may have taken it just now.
        guard error.code == .userInUse, let account = try await earlierAccount(body) else { throw error }
        return account
      }
    }
    let operation = UserInteractiveAuth.Operation(
      uri: uri, method: "POST", description: "register a new account", client: client)
    do {
      let completed = try await interactiveAuth.check(
        flows: registration.flows, operation: operation, body: body, omitting: ["password"]
      ) { [registration] in try await registration.check(stage: $0, $1, session: $2, address: client.ip) }
      return try await create(submission, completed, address: client.ip)
    } catch let incomplete as UserInteractiveAuth.Incomplete {
      if submission.password != nil { try interactiveAuth.countWork(for: body, of: client) }
      try await keep(submission.password, session: incomplete.sessionID)
      throw incomplete
    }
  }

  /// Finds the account that the body's session has made already: the client did not get the answer and repeats its last request.
  private func earlierAccount(_ body: JSONValue) async throws -> RegisteredAccount? {
    let kept = try await interactiveAuth.kept(for: body)
    guard let kept, let user = registration.registered(by: kept) else { return nil }
    let session = try body.optionalObject("auth")?.optionalString("session")
    return try await open(user, parameters: kept.parameters, session: session)
  }

  /// Stores the hash of a password with the session, so that the client need not send it with every stage.
  private func keep(_ password: Text?, session: Text) async throws {
    guard let password else { return }
    let hash = try await hasher.hash(password)
    try await interactiveAuth.remember(Self.passwordHashKey, .string(hash), session: session)
  }

  private func create(
    _ submission: RegistrationRequest, _ completed: UserInteractiveAuth.Completed, address: Text
  ) async throws -> RegisteredAccount {
    let hash: Text
    if let password = submission.password {
      hash = try await hasher.hash(password)
    } else if let kept = completed.serverData[Self.passwordHashKey]?.string {
      hash = kept
    } else {
      throw MatrixError.missingParam("Missing params: password")
    }
    let name = completed.parameters["username"]?.string?.asciiLowercased
    var new = RegistrationService.Submission(localpart: name, passwordHash: hash)
    new.brought = try registration.brought(completed.stages)
    let user = try await registration.register(
      new, session: completed.sessionID, address: address)
    return try await open(user, parameters: completed.parameters, session: completed.sessionID)
  }

  private func open(_ user: UserID, parameters: JSON, session: Text?) async throws -> RegisteredAccount {
    guard registration.isApprovedAtOnce else {
      throw MatrixError.awaitingApproval(
        "This account needs to be approved by an administrator before it can be used.")
    }
    if parameters["inhibit_login"]?.bool == true { return RegisteredAccount(userID: user, session: nil) }
    let session = try await sessions.open(
      SessionRequest(
        userID: user, deviceID: parameters["device_id"]?.string,
        displayName: parameters["initial_device_display_name"]?.string,
        wantsRefreshToken: parameters["refresh_token"]?.bool ?? false, registrationSession: session))
    return RegisteredAccount(userID: user, session: session)
  }

  // MARK: Administrators

  /// The device on which the first session of an account is opened.
  public struct FirstDevice: Sendable {
    let deviceID: Text?
    let displayName: Text?

    /// Describes a device.
    /// - Parameters:
    ///   - deviceID: nil for one that the server chooses.
    ///   - displayName: nil for none.
    public init(deviceID: Text?, displayName: Text?) {
      self.deviceID = deviceID
      self.displayName = displayName
    }
  }

  /// Registers an account for an administrator, who lifts limits and approves at once.
  ///
  /// - Parameters:
  ///   - account: what is known of the account.
  ///   - password: its password, which is not held to the policy.
  ///   - device: nil when no session is wanted.
  /// - Throws: `MatrixError` 400 for a name that cannot be registered.
  public func registerByAdministrator(
    _ account: RegistrationService.Submission, password: Text, device: FirstDevice?
  ) async throws -> RegisteredAccount {
    var account = account
    account.passwordHash = try await hasher.hash(password)
    let user = try await registration.registerByAdministrator(account)
    guard let device else { return RegisteredAccount(userID: user, session: nil) }
    let session = try await sessions.open(
      SessionRequest(
        userID: user, deviceID: device.deviceID, displayName: device.displayName, wantsRefreshToken: false))
    return RegisteredAccount(userID: user, session: session)
  }

  // MARK: Guests

  /// Registers a guest, where the configuration allows guests.
  ///
  /// - Throws: `MatrixError` 403, 429.
  public func registerGuest(_ body: JSONValue, address: Text) async throws -> RegisteredAccount {
    try registration.limit(address: address, count: false)
    let displayName = try body.optionalString("initial_device_display_name")
    try SessionRequest.check(deviceID: nil, displayName: displayName)
    let user = try await registration.registerGuest(address: address)
    let session = try await sessions.open(
      SessionRequest(
        userID: user, deviceID: Self.guestDevice, displayName: displayName, wantsRefreshToken: false, isGuest: true))
    return RegisteredAccount(userID: user, session: session)
  }
}

/// The members of a registration that are checked before anything is stored.
private struct RegistrationRequest {
  let username: Text?
  let password: Text?

  init(_ body: JSONValue) throws(MatrixError) {
    username = try body.optionalString("username")?.asciiLowercased
    password = try body.optionalString("password")
    if let username, username.utf8.count > 512 || username.utf8.contains(0) {
      throw .invalidUsername("Invalid username")
    }
    if let password, password.utf8.contains(0) { throw .invalidParam("Invalid password") }
    try SessionRequest.check(
      deviceID: try body.optionalString("device_id"),
      displayName: try body.optionalString("initial_device_display_name"))
    _ = try body.optionalBool("inhibit_login")
    _ = try body.optionalBool("refresh_token")
  }
}
