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
        rateLimited: true, handler: register),
      Endpoint(
        name: "register_available", method: .get, paths: PathPattern.client("register/available", versions: .released),
        auth: .none,
        role: .anyWorker, rateLimited: true
      ) { [accounts] request in
        guard let name = request.queryValue("username") else {
          throw MatrixError.missingParam("Missing required query parameter 'username'")
        }
        try accounts.registration.limit(address: request.clientIP, count: false)
        try await accounts.registration.checkAvailable(name)
        return .json(["available": true])
      },
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

  @Sendable private func register(_ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let registration = accounts.registration
    try registration.limit(address: request.clientIP, count: false)
    switch request.queryValue("kind") ?? "user" {
    case "user": break
    case "guest": throw MatrixError.forbidden("Guest access is disabled")
    case let kind: throw MatrixError.unrecognized("Do not understand membership kind: \(kind)", status: 400)
    }
    if request.accessToken != nil {
      throw MatrixError.unknown("An access token should not be provided on requests to /register", status: 400)
    }
    guard config.registration.isEnabled else { throw MatrixError.forbidden("Registration has been disabled") }
    let submission = try Submission(body)
    if let password = submission.password { try accounts.passwordPolicy.check(password) }
    let kept = try await accounts.userInteractiveAuth.serverData(for: body)
    if let already = kept?["registered_user_id"]?.string, let user = UserID(already) {
      return try await finish(user, parameters: body.json)
    }
    if let name = submission.username {
      try await registration.checkAvailable(name, revealUse: !config.registration.hidesUserInUse)
    }
    let completed: UserInteractiveAuth.Completed
    do {
      completed = try await accounts.userInteractiveAuth.check(
        flows: registration.flows,
        operation: .init(
          uri: request.path, method: "POST", description: "register a new account", client: .init(request)),
        body: body, omitting: ["password"]
      ) { try await registration.check(stage: $0, $1) }
    } catch let incomplete as UserInteractiveAuth.Incomplete {
      return try await keepPassword(submission.password, incomplete)
    }
    return try await create(submission, completed, address: request.clientIP)
  }

  /// Stores the hash of a password with the session, so that the client need not send it with every stage.
  private func keepPassword(
    _ password: String?, _ incomplete: UserInteractiveAuth.Incomplete
  ) async throws -> Response {
    if let password {
      let hash = try await accounts.hasher.hash(password)
      try await accounts.userInteractiveAuth.remember("password_hash", .string(hash), session: incomplete.sessionID)
    }
    return .json(incomplete.body, status: 401)
  }

  private func create(
    _ submission: Submission, _ completed: UserInteractiveAuth.Completed, address: String
  ) async throws -> Response {
    let hash: String
    if let password = submission.password {
      hash = try await accounts.hasher.hash(password)
    } else if let kept = completed.serverData["password_hash"]?.string {
      hash = kept
    } else {
      throw MatrixError.missingParam("Missing params: password")
    }
    let user = try await accounts.registration.register(
      localpart: completed.parameters["username"]?.string?.lowercased(), passwordHash: hash, address: address)
    try await accounts.userInteractiveAuth.remember(
      "registered_user_id", .string(user.rawValue), session: completed.sessionID)
    try await accounts.registration.consumeToken(of: completed)
    return try await finish(user, parameters: completed.parameters)
  }

  private func finish(_ user: UserID, parameters: JSON) async throws -> Response {
    var answer: [String: JSON] = ["user_id": .string(user.rawValue), "home_server": .string(config.serverName)]
    if parameters["inhibit_login"]?.bool != true {
      let session = try await accounts.registration.openSession(
        for: user, deviceID: parameters["device_id"]?.string,
        displayName: parameters["initial_device_display_name"]?.string,
        wantsRefreshToken: parameters["refresh_token"]?.bool ?? false)
      answer.merge(SessionAnswer.members(session, nowMilliseconds: accounts.clock.nowMilliseconds)) { $1 }
    }
    return .json(.object(answer))
  }

  /// The members of a registration that are checked before anything is stored.
  private struct Submission {
    let username: String?
    let password: String?

    init(_ body: JSONValue) throws(MatrixError) {
      username = try body.optionalString("username")?.lowercased()
      password = try body.optionalString("password")
      if let username, username.utf8.count > 512 || username.utf8.contains(0) {
        throw .invalidUsername("Invalid username")
      }
      if let password, password.utf8.contains(0) { throw .invalidParam("Invalid password") }
      _ = try body.optionalString("device_id")
      _ = try body.optionalString("initial_device_display_name")
      _ = try body.optionalBool("inhibit_login")
      _ = try body.optionalBool("refresh_token")
    }
  }
}

/// The members that every answer with a new session has.
enum SessionAnswer {
  static func members(_ session: NewSession, nowMilliseconds: Int64) -> [String: JSON] {
    var members: [String: JSON] = [
      "access_token": .string(session.accessToken), "device_id": .string(session.deviceID),
    ]
    if let end = session.validUntilMilliseconds { members["expires_in_ms"] = .integer(max(0, end - nowMilliseconds)) }
    if let refresh = session.refreshToken { members["refresh_token"] = .string(refresh) }
    return members
  }
}
