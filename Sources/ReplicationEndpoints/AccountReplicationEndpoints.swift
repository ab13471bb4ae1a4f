import AccountServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// Calls about accounts that workers make to the main process, to the writers of `device_lists` and to the first writer of `events`.
public struct AccountReplicationEndpoints: Sendable {
  private let config: HomeserverConfig
  private let accounts: AccountServices
  private let kit: ReplicationEndpointKit

  /// Makes the family.
  public init(config: HomeserverConfig, accounts: AccountServices, kit: ReplicationEndpointKit) {
    self.config = config
    self.accounts = accounts
    self.kit = kit
  }

  /// The endpoints of the family; the main process has all, another only what writers of streams serve.
  public var endpoints: [Endpoint] {
    let everywhere = [notifyDeviceUpdate, notifyUserSignatureUpdate, setProfileField, deleteProfileField]
    return config.isMainProcess
      ? [openSession, afterRegistration, afterDeactivation, afterLeaving] + everywhere : everywhere
  }

  private var openSession: Endpoint {
    kit.endpoint("device_check_registered", parameters: ["user_id"], isCached: true) { [accounts] call in
      let session = try await accounts.sessions.openHere(
        SessionRequest(userID: try call.userID("user_id"), body: call.body))
      return [
        "device_id": .string(session.deviceID), "access_token": .string(session.accessToken),
        "valid_until_ms": session.validUntilMilliseconds.map(JSON.integer) ?? .null,
        "refresh_token": session.refreshToken.map(JSON.string) ?? .null,
      ]
    }
  }

  /// What Synapse's main process does after a registration concerns threepids and consent, which a registration here
  /// cannot bring; the call is answered so that a worker of theirs can register users.
  private var afterRegistration: Endpoint {
    kit.endpoint("post_register", parameters: ["user_id"], isCached: true) { _ in [:] }
  }

  private var afterDeactivation: Endpoint {
    kit.endpoint("notify_account_deactivated", parameters: ["user_id"], isCached: true) { [accounts] _ in
      accounts.deactivation.leaveRooms()
      return [:]
    }
  }

  /// A worker of Synapse tells the main process that a user left a room, and fails the client's request unless it is
  /// answered. Nothing is left to do here: our processes learn of it from the events stream.
  private var afterLeaving: Endpoint {
    kit.endpoint("membership_change", parameters: ["room_id", "user_id", "change"], isCached: false) { _ in [:] }
  }

  private var notifyDeviceUpdate: Endpoint {
    kit.endpoint("notify_device_update", parameters: ["user_id"], isCached: false) { [accounts] call in
      var ids: [Text] = []
      for element in try call.body.requireArray("device_ids") {
        guard let id = element.string else { throw MatrixError.badJSON("'device_ids' must hold strings") }
        ids.append(id)
      }
      try await accounts.devices.recordChange(ids, of: try call.userID("user_id"))
      return [:]
    }
  }

  private var notifyUserSignatureUpdate: Endpoint {
    kit.endpoint("notify_user_signature_update", parameters: ["from_user_id"], isCached: false) { [accounts] call in
      var others: [UserID] = []
      for element in try call.body.requireArray("user_ids") {
        guard let user = element.string.flatMap(UserID.init) else {
          throw MatrixError.badJSON("'user_ids' must hold user IDs")
        }
        others.append(user)
      }
      try await accounts.devices.recordSignatures(by: try call.userID("from_user_id"), of: others)
      return [:]
    }
  }

  /// A process of Synapse that writes no events has profiles set by the first process that does, which also writes the new name into rooms.
  private var setProfileField: Endpoint {
    kit.endpoint("profile_set_field", parameters: ["user_id"], isCached: false) { [accounts] call in
      guard let value = call.body["new_value"] else { throw MatrixError.missingParam("Missing key 'new_value'") }
      try await accounts.profiles.set(
        try call.body.requireString("field_name"), to: value.json, of: try call.userID("user_id"),
        by: try Self.requester(call), isAdministrator: try call.body.optionalBool("by_admin") ?? false,
        reachesRooms: try call.body.optionalBool("propagate") ?? true)
      return [:]
    }
  }

  private var deleteProfileField: Endpoint {
    kit.endpoint("profile_delete_field", parameters: ["user_id"], isCached: false) { [accounts] call in
      try await accounts.profiles.set(
        try call.body.requireString("field_name"), to: nil, of: try call.userID("user_id"),
        by: try Self.requester(call), isAdministrator: try call.body.optionalBool("by_admin") ?? false)
      return [:]
    }
  }

  /// The calling process has authenticated the user, and names no more than the user.
  private static func requester(_ call: ReplicationCall) throws(MatrixError) -> Requester {
    guard let user = UserID(try call.body.requireString("requester")) else {
      throw .invalidParam("'requester' must be a user ID")
    }
    return Requester(userID: user)
  }
}
