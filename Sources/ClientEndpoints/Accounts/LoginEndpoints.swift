import AccountServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// Login, logout and the exchange of refresh tokens.
public struct LoginEndpoints: Sendable {
  private let config: HomeserverConfig
  private let accounts: AccountServices

  /// Makes the family.
  public init(config: HomeserverConfig, accounts: AccountServices) {
    self.config = config
    self.accounts = accounts
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] {
    [flows, logIn, logOut, logOutAll, refresh, passwordPolicy]
  }

  private var flows: Endpoint {
    Endpoint(
      name: "login_flows", method: .get, paths: PathPattern.client("login", versions: .sinceV1),
      auth: .none, role: .anyWorker
    ) { [accounts] _ in
      .json(["flows": .array(accounts.login.flows.map { ["type": .string($0)] })])
    }
  }

  private var logIn: Endpoint {
    Endpoint(
      name: "login", method: .post, paths: PathPattern.client("login", versions: .sinceV1), auth: .none,
      role: .anyWorker, rateLimited: true, bodyLimit: Endpoint.accountBodyLimit
    ) { [config, accounts] request in
      let result = try await accounts.login.logIn(try request.jsonObject(), address: request.clientIP)
      var answer = SessionAnswer.members(result.session, nowMilliseconds: accounts.clock.nowMilliseconds)
      answer["user_id"] = .string(result.userID.rawValue)
      answer["home_server"] = .string(config.serverName)
      if let wellKnown = ServerEndpoints.wellKnown(config) { answer["well_known"] = wellKnown }
      return .json(.object(answer))
    }
  }

  private var logOut: Endpoint {
    Endpoint(
      name: "logout", method: .post, paths: PathPattern.client("logout", versions: .sinceV1),
      auth: .required, role: .main, allowsLockedUsers: true
    ) { [accounts] request in
      guard let token = request.accessToken else { throw MatrixError.missingToken() }
      try await accounts.sessions.close(try request.requester, accessToken: token)
      return .emptyObject
    }
  }

  private var logOutAll: Endpoint {
    Endpoint(
      name: "logout_all", method: .post, paths: PathPattern.client("logout/all", versions: .sinceV1),
      auth: .required, role: .main, allowsLockedUsers: true
    ) { [accounts] request in
      try await accounts.sessions.closeAll(of: try request.requester.userID)
      return .emptyObject
    }
  }

  private var refresh: Endpoint {
    Endpoint(
      name: "refresh", method: .post, paths: PathPattern.client("refresh", versions: [.v3]), auth: .none, role: .main,
      bodyLimit: Endpoint.accountBodyLimit
    ) { [accounts] request in
      let session = try await accounts.sessions.refresh(try request.jsonObject().requireString("refresh_token"))
      var answer = SessionAnswer.members(session, nowMilliseconds: accounts.clock.nowMilliseconds)
      answer["device_id"] = nil
      return .json(.object(answer))
    }
  }

  private var passwordPolicy: Endpoint {
    Endpoint(
      name: "password_policy", method: .get, paths: PathPattern.client("password_policy", versions: .released),
      auth: .none,
      role: .anyWorker
    ) { [accounts] _ in .json(accounts.passwordPolicy.description) }
  }
}
