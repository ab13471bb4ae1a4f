import AccountServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// Registration, and the questions whether a name is free and a token good.
package struct RegistrationEndpoints: Sendable {
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
      "registration",
      [
        .post("register", .client("register", .released), as: Anyone.self, limited: true, body: .account, to: register),
        .get(
          "checkUsernameAvailability", .client("register/available", .released), as: Anyone.self, limited: true,
          to: isAvailable),
        .get(
          "registrationTokenValidity", .client("register/m.login.registration_token/validity", [.v1, .unstable]),
          as: Anyone.self,
          limited: true, to: isTokenValid),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3register
  private func register(_ caller: Anyone, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    switch request.queryValue("kind") ?? "user" {
    case "user":
      return answer(
        try await accounts.registrationFlow.register(
          body, uri: request.path, hasToken: request.hasAccessToken, client: .init(request)))
    case "guest":
      return answer(try await accounts.registrationFlow.registerGuest(body, address: request.clientIP))
    case let kind: throw MatrixError.unrecognized("Do not understand membership kind: \(kind)", status: 400)
    }
  }

  private func answer(_ account: RegisteredAccount) -> Response {
    var answer: [Text: JSON] = [
      "user_id": .string(account.userID.rawValue), "home_server": .string(config.serverName),
    ]
    if let session = account.session {
      answer.merge(SessionAnswer.members(session, nowMilliseconds: accounts.clock.nowMilliseconds)) { $1 }
    }
    return .json(.object(answer))
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3registeravailable
  private func isAvailable(_ caller: Anyone, _ request: Request) async throws -> Response {
    try await accounts.registrationFlow.checkAvailable(request.queryValue("username"), address: request.clientIP)
    return .json(["available": true])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity
  private func isTokenValid(_ caller: Anyone, _ request: Request) async throws -> Response {
    let isValid = try await accounts.registrationFlow.isValid(
      token: { () throws(MatrixError) in try request.requireQueryValue("token") }, address: request.clientIP)
    return .json(["valid": .bool(isValid)])
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
