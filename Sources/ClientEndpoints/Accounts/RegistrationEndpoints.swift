import AccountServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// `POST /register` and the question whether a name is free.
public struct RegistrationEndpoints: Sendable {
  private let config: HomeserverConfig
  private let accounts: AccountServices

  /// Makes the family.
  public init(config: HomeserverConfig, accounts: AccountServices) {
    self.config = config
    self.accounts = accounts
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] {
    [
      Endpoint(
        name: "register", method: .post, paths: PathPattern.client("register", versions: .released), auth: .none,
        role: .anyWorker,
        rateLimited: true, bodyLimit: Endpoint.accountBodyLimit, handler: register),
      Endpoint(
        name: "register_available", method: .get, paths: PathPattern.client("register/available", versions: .released),
        auth: .none,
        role: .anyWorker, rateLimited: true, handler: isAvailable),
      Endpoint(
        name: "registration_token_validity", method: .get,
        paths: PathPattern.client("register/m.login.registration_token/validity", versions: [.v1]), auth: .none,
        role: .anyWorker, rateLimited: true
      ) { [config, accounts] request in
        guard config.registration.isEnabled else { throw MatrixError.forbidden("Registration has been disabled") }
        try accounts.registration.limitTokenQuestions(address: request.clientIP)
        let isValid = try await accounts.registration.isValid(token: try request.requireQueryValue("token"))
        return .json(["valid": .bool(isValid)])
      },
    ]
  }

  @Sendable private func isAvailable(_ request: Request) async throws -> Response {
    guard config.registration.isEnabled else { throw MatrixError.forbidden("Registration has been disabled") }
    if config.registration.hidesUserInUse { return .json(["available": true]) }
    try await accounts.registration.limitNameQuestions(address: request.clientIP)
    guard let name = request.queryValue("username") else {
      throw MatrixError.missingParam("Missing required query parameter 'username'")
    }
    try await accounts.registration.checkAvailable(name)
    return .json(["available": true])
  }

  @Sendable private func register(_ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let registration = accounts.registration
    try registration.limit(address: request.clientIP, count: false)
    switch request.queryValue("kind") ?? "user" {
    case "user": break
    case "guest": return try await registerGuest(body, address: request.clientIP)
    case let kind: throw MatrixError.unrecognized("Do not understand membership kind: \(kind)", status: 400)
    }
    if request.accessToken != nil {
      throw MatrixError.unknown("An access token should not be provided on requests to /register", status: 400)
    }
    guard config.registration.isEnabled else { throw MatrixError.forbidden("Registration has been disabled") }
    let submission = try Submission(body)
    if let password = submission.password { try accounts.passwordPolicy.check(password) }
    if let answer = try await answerAgain(body) { return answer }
    if let name = submission.username {
      do {
        try await registration.checkAvailable(name, revealUse: !config.registration.hidesUserInUse)
      } catch let error as MatrixError {
        // Another request of the same session may have taken it just now.
        guard error.code == .userInUse, let answer = try await answerAgain(body) else { throw error }
        return answer
      }
    }
    let completed: UserInteractiveAuth.Completed
    do {
      completed = try await accounts.userInteractiveAuth.check(
        flows: registration.flows,
        operation: .init(
          uri: request.path, method: "POST", description: "register a new account", client: .init(request)),
        body: body, omitting: ["password"]
      ) { try await registration.check(stage: $0, $1, session: $2) }
    } catch let incomplete as UserInteractiveAuth.Incomplete {
      return try await keepPassword(submission.password, incomplete)
    }
    return try await create(submission, completed, address: request.clientIP)
  }

  /// Answers a client that did not get the answer of a registration and repeats its last request.
  private func answerAgain(_ body: JSONValue) async throws -> Response? {
    let kept = try await accounts.userInteractiveAuth.kept(for: body)
    guard let kept, let user = accounts.registration.registered(by: kept) else { return nil }
    let session = try body.optionalObject("auth")?.optionalString("session")
    return try await finish(user, parameters: kept.parameters, session: session)
  }

  private func registerGuest(_ body: JSONValue, address: Text) async throws -> Response {
    let displayName = try body.optionalString("initial_device_display_name")
    try SessionRequest.check(deviceID: nil, displayName: displayName)
    let user = try await accounts.registration.registerGuest(address: address)
    // Guests do not choose their device; Synapse's name for it.
    let session = try await accounts.sessions.open(
      SessionRequest(
        userID: user, deviceID: "guest_device", displayName: displayName, wantsRefreshToken: false, isGuest: true))
    var answer: [Text: JSON] = ["user_id": .string(user.rawValue), "home_server": .string(config.serverName)]
    answer.merge(SessionAnswer.members(session, nowMilliseconds: accounts.clock.nowMilliseconds)) { $1 }
    return .json(.object(answer))
  }

  /// Stores the hash of a password with the session, so that the client need not send it with every stage.
  private func keepPassword(
    _ password: Text?, _ incomplete: UserInteractiveAuth.Incomplete
  ) async throws -> Response {
    if let password {
      let hash = try await accounts.hasher.hash(password)
      try await accounts.userInteractiveAuth.remember("password_hash", .string(hash), session: incomplete.sessionID)
    }
    return .json(incomplete.body, status: 401)
  }

  private func create(
    _ submission: Submission, _ completed: UserInteractiveAuth.Completed, address: Text
  ) async throws -> Response {
    let hash: Text
    if let password = submission.password {
      hash = try await accounts.hasher.hash(password)
    } else if let kept = completed.serverData["password_hash"]?.string {
      hash = kept
    } else {
      throw MatrixError.missingParam("Missing params: password")
    }
    let name = completed.parameters["username"]?.string?.asciiLowercased
    let user = try await accounts.registration.register(
      .init(localpart: name, passwordHash: hash), session: completed.sessionID, address: address)
    return try await finish(user, parameters: completed.parameters, session: completed.sessionID)
  }

  private func finish(_ user: UserID, parameters: JSON, session: Text?) async throws -> Response {
    guard accounts.registration.isApprovedAtOnce else {
      throw MatrixError.awaitingApproval(
        "This account needs to be approved by an administrator before it can be used.")
    }
    var answer: [Text: JSON] = ["user_id": .string(user.rawValue), "home_server": .string(config.serverName)]
    if parameters["inhibit_login"]?.bool != true {
      let session = try await accounts.sessions.open(
        SessionRequest(
          userID: user, deviceID: parameters["device_id"]?.string,
          displayName: parameters["initial_device_display_name"]?.string,
          wantsRefreshToken: parameters["refresh_token"]?.bool ?? false, registrationSession: session))
      answer.merge(SessionAnswer.members(session, nowMilliseconds: accounts.clock.nowMilliseconds)) { $1 }
    }
    return .json(.object(answer))
  }

  /// The members of a registration that are checked before anything is stored.
  private struct Submission {
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
}

/// The members that every answer with a new session has.
enum SessionAnswer {
  static func members(_ session: NewSession, nowMilliseconds: Int64) -> [Text: JSON] {
    var members: [Text: JSON] = [
      "access_token": .string(session.accessToken), "device_id": .string(session.deviceID),
    ]
    if let end = session.validUntilMilliseconds { members["expires_in_ms"] = .integer(max(0, end - nowMilliseconds)) }
    if let refresh = session.refreshToken { members["refresh_token"] = .string(refresh) }
    return members
  }
}
