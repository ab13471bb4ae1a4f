import AccountServices
import EndpointKit
import MatrixPrimitives

/// A user's list of devices.
package struct DeviceEndpoints: Sendable {
  private let accounts: AccountServices

  /// Makes the family.
  package init(accounts: AccountServices) { self.accounts = accounts }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "devices",
      [
        .get("getDevices", .client("devices", .released), as: UserOrGuest.self, to: list),
        .get("getDevice", Self.device, as: UserOrGuest.self, to: get),
        .put(
          "updateDevice", Self.device, as: UserOrGuest.self, on: .anyPreferring(writerOf: .deviceLists), to: rename),
        .delete(
          "deleteDevice", Self.device, as: User.self, on: .anyPreferring(writerOf: .deviceLists), body: .account,
          to: delete),
        .post(
          "deleteDevices", .client("delete_devices", .released), as: User.self,
          on: .anyPreferring(writerOf: .deviceLists), body: .collected(limit: 1 << 20), to: deleteMany),
      ])
  }

  private static let device = EndpointPaths.client("devices/{deviceID}", .released)

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3devices
  private func list(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let devices = try await accounts.devices.list(of: caller.userID)
    return .json { writer in
      writer.object {
        $0.array("devices") { list in
          for device in devices { Self.write(device, of: caller.userID, to: &list) }
        }
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3devicesdeviceid
  private func get(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let device = try await accounts.devices.device(try request.parameter("deviceID"), of: caller.userID)
    return .json { Self.write(device, of: caller.userID, to: &$0) }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3devicesdeviceid
  private func rename(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let name = try request.jsonObject().optionalString("display_name")
    try await accounts.devices.rename(try request.parameter("deviceID"), of: caller.userID, to: name)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3devicesdeviceid
  private func delete(_ user: User, _ request: Request) async throws -> Response {
    try await accounts.confirmation.confirm(
      user.requester, .init(request, "remove a device from your account"), body: try request.jsonObjectOrEmpty(),
      mayBeEarlier: true)
    try await accounts.devices.delete([try request.parameter("deviceID")], of: user.userID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3delete_devices
  private func deleteMany(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let ids = try body.requireStrings("devices")
    try await accounts.confirmation.confirm(
      user.requester, .init(request, "remove device(s) from your account"), body: body, omitting: ["devices"],
      mayBeEarlier: true)
    try await accounts.devices.delete(ids, of: user.userID)
    return .emptyObject
  }

  /// Writes a device; what is not known is null (observed).
  private static func write(_ device: DeviceDetails, of user: UserID, to writer: inout JSONWriter) {
    writer.object {
      $0.member("device_id", device.deviceID)
      $0.member("user_id", user.rawValue)
      $0.member("display_name", device.displayName.map(JSON.string) ?? .null)
      $0.member("last_seen_ip", device.lastSeenIP.map(JSON.string) ?? .null)
      $0.member("last_seen_ts", device.lastSeenMilliseconds.map(JSON.integer) ?? .null)
    }
  }
}
