import AccountServices
import EndpointKit
import MatrixPrimitives

/// The e-mail addresses and telephone numbers of an account.
package struct ThirdPartyEndpoints: Sendable {
  private let accounts: AccountServices

  /// Makes the family.
  package init(accounts: AccountServices) { self.accounts = accounts }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "third-party identifiers",
      [
        .get("getAccount3PIDs", .client("account/3pid", .released), as: User.self, to: list),
        .post("post3PIDs", .client("account/3pid", .released), as: User.self, body: .account, to: addWithoutPassword),
        .post(
          "add3PID", .client("account/3pid/add", .released), as: User.self, on: .main, limited: true, body: .account,
          to: add),
        .post(
          "bind3PID", .client("account/3pid/bind", .released), as: User.self, on: .main, limited: true, body: .account,
          to: bind),
        .post(
          "unbind3pidFromAccount", .client("account/3pid/unbind", .released), as: User.self, on: .main, body: .account,
          to: unbind),
        .post(
          "delete3pidFromAccount", .client("account/3pid/delete", .released), as: User.self, on: .main, body: .account,
          to: delete),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3account3pid
  private func list(_ user: User, _ request: Request) async throws -> Response {
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

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3account3pid
  private func addWithoutPassword(_ user: User, _ request: Request) async throws -> Response {
    try accounts.thirdParties.requireChanges()
    let body = try request.jsonObject()
    let creds = try body.optionalObject("three_pid_creds") ?? body.optionalObject("threePidCreds")
    guard let creds else { throw MatrixError.missingParam("Missing param three_pid_creds") }
    let (session, secret) = (try creds.requireString("sid"), try creds.requireString("client_secret"))
    try accounts.thirdParties.check(clientSecret: secret)
    try await accounts.thirdParties.add(session: session, clientSecret: secret, to: user.userID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3account3pidadd
  private func add(_ user: User, _ request: Request) async throws -> Response {
    try accounts.thirdParties.requireChanges()
    let body = try request.jsonObject()
    let (session, secret) = (try body.requireString("sid"), try body.requireString("client_secret"))
    try accounts.thirdParties.check(clientSecret: secret)
    try await accounts.confirmation.confirm(
      user.requester, .init(request, "add a third-party identifier to your account"), body: body, mayBeEarlier: false)
    try await accounts.thirdParties.add(session: session, clientSecret: secret, to: user.userID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3account3pidbind
  private func bind(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let secret = try body.requireString("client_secret")
    try accounts.thirdParties.check(clientSecret: secret)
    try await accounts.thirdParties.bind(
      session: try body.requireString("sid"), clientSecret: secret, server: try body.requireString("id_server"),
      token: try body.requireString("id_access_token"), user: user.userID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3account3pidunbind
  private func unbind(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let isDone = try await accounts.thirdParties.unbind(
      try body.requireString("medium"), try body.requireString("address"), of: user.userID,
      server: try body.optionalString("id_server"))
    return Self.unbound(isDone)
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3account3piddelete
  private func delete(_ user: User, _ request: Request) async throws -> Response {
    try accounts.thirdParties.requireChanges()
    let body = try request.jsonObject()
    let isDone = try await accounts.thirdParties.remove(
      try body.requireString("medium"), try body.requireString("address"), from: user.userID,
      server: try body.optionalString("id_server"))
    return Self.unbound(isDone)
  }

  private static func unbound(_ isDone: Bool) -> Response {
    .json(["id_server_unbind_result": isDone ? "success" : "no-support"])
  }
}
