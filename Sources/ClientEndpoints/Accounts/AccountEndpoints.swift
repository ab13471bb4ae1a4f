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
        .post(
          "changePassword", .client("account/password", .released), as: AnyoneKnown.self, on: .main, limited: true,
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

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3accountpassword
  private func changePassword(_ caller: AnyoneKnown, _ request: Request) async throws -> Response {
    if caller.requester?.isGuest == true { throw MatrixError.guestAccessForbidden() }
    try await accounts.passwordChanges.change(
      caller.requester, .init(request, "modify your account password"), body: try request.jsonObject())
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3accountdeactivate
  private func deactivate(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let erases = try body.optionalBool("erase") ?? false
    let server = try body.optionalString("id_server")
    try await accounts.confirmation.confirm(
      user.requester, .init(request, "deactivate your account"), body: body, mayBeEarlier: false)
    let isUnbound = try await accounts.thirdParties.unbindAll(of: user.userID, server: server)
    try await accounts.deactivation.deactivate(user.userID, erases: erases)
    return .json(["id_server_unbind_result": isUnbound ? "success" : "no-support"])
  }
}
