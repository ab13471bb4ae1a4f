import AccountServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// Login, logout and the exchange of refresh tokens.
package struct LoginEndpoints: Sendable {
  private let config: HomeserverConfig
  private let accounts: AccountServices

  /// Makes the family.
  package init(config: HomeserverConfig, accounts: AccountServices) {
    self.config = config
    self.accounts = accounts
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "login",
      [
        .get("getLoginFlows", .client("login", .sinceV1), as: Anyone.self, to: flows),
        .post("login", .client("login", .sinceV1), as: Anyone.self, limited: true, body: .account, to: logIn),
        .post("logout", .client("logout", .sinceV1), as: User.self, on: .main, allowsLockedUsers: true, to: logOut),
        .post(
          "logout_all", .client("logout/all", .sinceV1), as: User.self, on: .main, allowsLockedUsers: true,
          to: logOutEverywhere),
        .post("refresh", .client("refresh", .released), as: Anyone.self, on: .main, body: .account, to: refresh),
        .get("getPasswordPolicy", .client("password_policy", .released), as: Anyone.self, to: passwordPolicy),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3login
  private func flows(_ caller: Anyone, _ request: Request) -> Response {
    .json(["flows": .array(accounts.login.flows.map { ["type": .string($0)] })])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3login
  private func logIn(_ caller: Anyone, _ request: Request) async throws -> Response {
    let result = try await accounts.login.logIn(try request.jsonObject(), address: request.clientIP)
    var answer = SessionAnswer.members(result.session, nowMilliseconds: accounts.clock.nowMilliseconds)
    answer["user_id"] = .string(result.userID.rawValue)
    answer["home_server"] = .string(config.serverName)
    if let wellKnown = ServerEndpoints.wellKnown(config) { answer["well_known"] = wellKnown }
    return .json(.object(answer))
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3logout
  private func logOut(_ user: User, _ request: Request) async throws -> Response {
    guard let token = request.accessToken else { throw MatrixError.missingToken() }
    try await accounts.sessions.close(user.requester, accessToken: token)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3logoutall
  private func logOutEverywhere(_ user: User, _ request: Request) async throws -> Response {
    try await accounts.sessions.closeAll(of: user.userID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3refresh
  private func refresh(_ caller: Anyone, _ request: Request) async throws -> Response {
    let session = try await accounts.sessions.refresh(try request.jsonObject().requireString("refresh_token"))
    var answer = SessionAnswer.members(session, nowMilliseconds: accounts.clock.nowMilliseconds)
    answer["device_id"] = nil
    return .json(.object(answer))
  }

  /// Answers `GET password_policy` (MSC2000) as Synapse does.
  private func passwordPolicy(_ caller: Anyone, _ request: Request) -> Response {
    .json(accounts.passwords.policy.description)
  }
}
