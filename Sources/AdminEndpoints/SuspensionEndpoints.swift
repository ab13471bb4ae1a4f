import AccountServices
import EndpointKit
import MatrixPrimitives

/// `/_synapse/admin/v1/suspend/{userID}`: an administrator suspends an account (Synapse's administration API).
package struct SuspensionEndpoints: Sendable {
  private let accounts: AccountServices

  /// Makes the family.
  package init(accounts: AccountServices) { self.accounts = accounts }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "suspension",
      [.put("suspendAccount", .admin("v1/suspend/{userID}"), as: Administrator.self, on: .main, to: suspend)])
  }

  private func suspend(_ caller: Administrator, _ request: Request) async throws -> Response {
    let user = try request.userID
    let value = try request.jsonObject().requireBool("suspend")
    try await accounts.states.suspend(user, value)
    return .json(.object(["user_\(user.rawValue)_suspended": .bool(value)]))
  }
}
