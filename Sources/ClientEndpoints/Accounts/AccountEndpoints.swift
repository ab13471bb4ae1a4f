import AccountServices
import EndpointKit
import MatrixPrimitives

/// What a logged-in user asks about, and does to, the account itself.
package struct AccountEndpoints: Sendable {
  private let accounts: AccountServices

  /// Makes the family.
  package init(accounts: AccountServices) { self.accounts = accounts }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "account",
      [
        .get(
          "getTokenOwner", .client("account/whoami", .released), as: UserOrGuest.self, execution: .onEventLoop,
          to: tokenOwner),
        .get("getAccount3PIDs", .client("account/3pid", .released), as: User.self, to: thirdPartyIdentifiers),
        .post(
          "changePassword", .client("account/password", .released), as: User.self, on: .main, limited: true,
          body: .account, to: changePassword),
        .post(
          "deactivateAccount", .client("account/deactivate", .released), as: User.self, limited: true, body: .account,
          to: deactivate),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3accountwhoami
  private func tokenOwner(_ caller: UserOrGuest, _ request: Request) -> Response {
    .json { writer in
      writer.object {
        $0.member("user_id", caller.userID.rawValue)
        $0.member("is_guest", caller.requester.isGuest)
        $0.memberIfPresent("device_id", caller.deviceID)
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3account3pid
  private func thirdPartyIdentifiers(_ user: User, _ request: Request) async throws -> Response {
    let identifiers = try await accounts.identifiers(of: user.userID)
    return .json { writer in
      writer.object {
        $0.array("threepids") { list in
          for identifier in identifiers {
            list.object {
              $0.member("medium", identifier.medium)
              $0.member("address", identifier.address)
              $0.member("validated_at", identifier.validatedAtMilliseconds)
              $0.member("added_at", identifier.addedAtMilliseconds)
            }
          }
        }
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3accountpassword
  private func changePassword(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let endsSessions = try body.optionalBool("logout_devices") ?? true
    let password = try body.optionalString("new_password")
    if let password { try accounts.passwords.check(password) }
    try await accounts.confirmation.confirm(
      user.userID, .init(request, "modify your account password"), body: body, omitting: ["new_password"])
    guard let password else { throw MatrixError.missingParam("Missing params: new_password") }
    try await accounts.passwords.change(
      of: user.userID, to: password, endsSessions: endsSessions, keeping: user.requester.accessTokenID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3accountdeactivate
  private func deactivate(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let erases = try body.optionalBool("erase") ?? false
    try await accounts.confirmation.confirm(user.userID, .init(request, "deactivate your account"), body: body)
    try await accounts.deactivation.deactivate(user.userID, erases: erases)
    return .json(["id_server_unbind_result": "success"])
  }
}
