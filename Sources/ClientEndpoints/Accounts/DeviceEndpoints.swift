import AccountServices
import EndpointKit
import MatrixPrimitives
import Stores

/// A user's list of devices.
public struct DeviceEndpoints: Sendable {
  private let accounts: AccountServices
  private let storage: AccountStores

  /// Makes the family.
  public init(accounts: AccountServices, storage: AccountStores) {
    self.accounts = accounts
    self.storage = storage
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] {
    [list, get, rename, delete, deleteMany]
  }

  private var list: Endpoint {
    Endpoint(
      name: "devices", method: .get, paths: PathPattern.client("devices", versions: .released), auth: .guestAllowed,
      role: .anyWorker
    ) { [storage] request in
      let user = try request.requester.userID
      let devices = try await storage.devices.devices(of: user)
      return .json { writer in
        writer.beginObject()
        writer.key("devices")
        writer.beginArray()
        for device in devices { write(device, of: user, to: &writer) }
        writer.endArray()
        writer.endObject()
      }
    }
  }

  private var get: Endpoint {
    Endpoint(
      name: "device", method: .get, paths: PathPattern.client("devices/{deviceID}", versions: .released),
      auth: .guestAllowed,
      role: .anyWorker
    ) { [storage] request in
      let id = try request.parameter("deviceID")
      let user = try request.requester.userID
      guard let device = try await storage.devices.device(id, of: user) else {
        throw MatrixError.notFound("No device found")
      }
      return .json { write(device, of: user, to: &$0) }
    }
  }

  private var rename: Endpoint {
    Endpoint(
      name: "rename_device", method: .put, paths: PathPattern.client("devices/{deviceID}", versions: .released),
      auth: .guestAllowed,
      role: .streamWriter(.deviceLists)
    ) { [accounts, storage] request in
      let id = try request.parameter("deviceID")
      let user = try request.requester.userID
      let name = try request.jsonObject().optionalString("display_name")
      guard try await storage.devices.device(id, of: user) != nil else {
        throw MatrixError.notFound("No device found")
      }
      if let name { try await accounts.devices.rename(id, of: user, to: name) }
      return .emptyObject
    }
  }

  private var delete: Endpoint {
    Endpoint(
      name: "delete_device", method: .delete, paths: PathPattern.client("devices/{deviceID}", versions: .released),
      auth: .required,
      role: .streamWriter(.deviceLists), bodyLimit: Endpoint.accountBodyLimit
    ) { [accounts] request in
      let id = try request.parameter("deviceID")
      let user = try request.requester.userID
      return try await PasswordStage(accounts).authorise(
        request, try request.jsonObjectOrEmpty(), user: user, action: "remove a device from your account", omitting: []
      ) { _ in
        try await accounts.devices.delete([id], of: user)
        return .emptyObject
      }
    }
  }

  private var deleteMany: Endpoint {
    Endpoint(
      name: "delete_devices", method: .post, paths: PathPattern.client("delete_devices", versions: .released),
      auth: .required,
      role: .streamWriter(.deviceLists), bodyLimit: 1 << 20
    ) { [accounts] request in
      let body = try request.jsonObject()
      let user = try request.requester.userID
      var ids: [Text] = []
      for element in try body.requireArray("devices") {
        guard let id = element.string else { throw MatrixError.badJSON("'devices' must hold strings") }
        ids.append(id)
      }
      return try await PasswordStage(accounts).authorise(
        request, body, user: user, action: "remove device(s) from your account", omitting: ["devices"]
      ) { _ in
        try await accounts.devices.delete(ids, of: user)
        return .emptyObject
      }
    }
  }

  /// Writes a device; what is not known is null (observed), and a use that is not stored yet counts.
  private func write(_ device: Device, of user: UserID, to writer: inout JSONWriter) {
    let use = accounts.activity.latestUse(of: device.deviceID, user: user)
    writer.beginObject()
    writer.member("device_id", device.deviceID)
    writer.member("user_id", user.rawValue)
    writer.member("display_name", device.displayName.map(JSON.string) ?? .null)
    writer.member("last_seen_ip", (use?.ip ?? device.lastSeenIP).map(JSON.string) ?? .null)
    writer.member(
      "last_seen_ts", (use?.lastSeenMilliseconds ?? device.lastSeenMilliseconds).map(JSON.integer) ?? .null)
    writer.endObject()
  }
}
