import AccountServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// Tokens by which others learn who a user is.
package struct OpenIDEndpoints: Sendable {
  private let config: HomeserverConfig
  private let tokens: OpenIDService

  /// Makes the family.
  package init(config: HomeserverConfig, accounts: AccountServices) {
    self.config = config
    tokens = accounts.openID
  }

  /// The operations of users.
  package var family: EndpointFamily {
    EndpointFamily(
      "openid tokens",
      [
        .post(
          "requestOpenIdToken", .client("user/{userID}/openid/request_token", .released), as: User.self,
          limited: true, to: request)
      ])
  }

  /// The operation of those who got a token.
  package var publicFamily: EndpointFamily {
    EndpointFamily(
      "openid", resource: "openid",
      [
        .get("exchangeOpenIdToken", "/_matrix/federation/v1/openid/userinfo", as: Anyone.self, limited: true, to: user)
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3useruseridopenidrequest_token
  private func request(_ user: User, _ request: Request) async throws -> Response {
    let owner = try request.owner(user, else: "Cannot request tokens for other users.")
    _ = try request.jsonObject()
    return .json([
      "access_token": .string(try await tokens.make(for: owner)), "token_type": "Bearer",
      "matrix_server_name": .string(config.serverName),
      "expires_in": .integer(OpenIDService.lifetimeMilliseconds / 1000),
    ])
  }

  /// https://spec.matrix.org/v1.16/server-server-api/#get_matrixfederationv1openiduserinfo
  private func user(_ caller: Anyone, _ request: Request) async throws -> Response {
    guard let token = request.queryValue("access_token") else {
      throw MatrixError.missingToken("Access Token required")
    }
    guard let user = try await tokens.user(of: token) else {
      throw MatrixError(.unknownToken, "Access Token unknown or expired")
    }
    return .json(["sub": .string(user.rawValue)])
  }
}
