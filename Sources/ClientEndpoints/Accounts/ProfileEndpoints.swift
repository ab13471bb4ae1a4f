import AccountServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// Profiles: display name, avatar and further fields.
package struct ProfileEndpoints: Sendable {
  private let accounts: AccountServices

  private let field: EndpointPaths
  /// Whether clients may keep a change of name or avatar from the rooms (MSC4069).
  private let allowsKeepingFromRooms: Bool

  /// Makes the family.
  package init(accounts: AccountServices, config: HomeserverConfig) {
    self.accounts = accounts
    let path: Text = "profile/{userID}/{field}"
    let isUnstable = config.experimental.isEnabled("msc4133_enabled")
    field = .client(path, .sinceV1) + .client(path, isUnstable ? ["unstable/uk.tcpip.msc4133"] : [])
    allowsKeepingFromRooms = config.experimental.isEnabled("msc4069_profile_inhibit_propagation")
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "profiles",
      [
        .get("getUserProfile", .client("profile/{userID}", .sinceV1), as: AnyoneKnown.self, to: get),
        .get("getProfileField", field, as: AnyoneKnown.self, to: getField),
        .put("setProfileField", field, as: UserOrGuest.self, to: setField),
        .delete("deleteProfileField", field, as: UserOrGuest.self, to: deleteField),
      ])
  }

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
    try Self.checkGuest(caller, name)
    try ProfileService.check(field: name)
    guard let value = try request.jsonObject()[name] else { throw MatrixError.missingParam("Missing key '\(name)'") }
    try await set(name, to: value.json, caller, request)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3profileuseridkeyname
  private func deleteField(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let name = try request.parameter("field")
    try Self.checkGuest(caller, name)
    try await set(name, to: nil, caller, request)
    return .emptyObject
  }

  /// Lets guests set no more than their name.
  private static func checkGuest(_ caller: UserOrGuest, _ field: Text) throws(MatrixError) {
    guard field == "displayname" || !caller.requester.isGuest else {
      throw .guestAccessForbidden("Guest access not allowed")
    }
  }

  private func set(_ name: Text, to value: JSON?, _ caller: UserOrGuest, _ request: Request) async throws {
    let reachesRooms =
      allowsKeepingFromRooms ? try request.queryBool("org.matrix.msc4069.propagate", default: true) : true
    try await accounts.authenticator.refuseSuspended(caller.requester, "Updating profile")
    try await accounts.profiles.set(
      name, to: value, of: try request.userID, by: caller.requester,
      isAdministrator: try await accounts.authenticator.isAdministrator(caller.requester), reachesRooms: reachesRooms)
  }
}
