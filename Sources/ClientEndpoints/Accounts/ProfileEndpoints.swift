import AccountServices
import EndpointKit
import MatrixPrimitives

/// Profiles: display name, avatar and further fields.
package struct ProfileEndpoints: Sendable {
  private let accounts: AccountServices

  /// Makes the family.
  package init(accounts: AccountServices) { self.accounts = accounts }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "profiles",
      [
        .get("getUserProfile", .client("profile/{userID}", .sinceV1), as: AnyoneKnown.self, to: get),
        .get("getProfileField", Self.field, as: AnyoneKnown.self, to: getField),
        .put("setProfileField", Self.field, as: UserOrGuest.self, to: setField),
        .delete("deleteProfileField", Self.field, as: UserOrGuest.self, to: deleteField),
      ])
  }

  private static let field = EndpointPaths.client("profile/{userID}/{field}", .sinceV1)

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3profileuserid
  private func get(_ caller: AnyoneKnown, _ request: Request) async throws -> Response {
    let fields = try await accounts.profiles.fields(
      of: try request.userID, for: caller.requester, address: request.clientIP)
    return .json(.object(fields))
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3profileuseridkeyname
  private func getField(_ caller: AnyoneKnown, _ request: Request) async throws -> Response {
    let name = try request.parameter("field")
    let value = try await accounts.profiles.field(
      name, of: try request.userID, for: caller.requester, address: request.clientIP)
    return .json(.object(value.map { [name: $0] } ?? [:]))
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3profileuseridkeyname
  private func setField(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let name = try request.parameter("field")
    try ProfileService.check(field: name)
    guard let value = try request.jsonObject()[name] else { throw MatrixError.missingParam("Missing key '\(name)'") }
    try await set(name, to: value.json, caller, request)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3profileuseridkeyname
  private func deleteField(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    try await set(try request.parameter("field"), to: nil, caller, request)
    return .emptyObject
  }

  private func set(_ name: Text, to value: JSON?, _ caller: UserOrGuest, _ request: Request) async throws {
    try await accounts.authenticator.refuseSuspended(caller.requester, "Updating profile")
    try await accounts.profiles.set(
      name, to: value, of: try request.userID, by: caller.requester,
      isAdministrator: try await accounts.authenticator.isAdministrator(caller.requester))
  }
}
