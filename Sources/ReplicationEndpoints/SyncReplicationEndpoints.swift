import EndpointKit
import MatrixPrimitives
import Replication
import Stores
import SyncEngine

/// Calls that workers make to the writers of account data and presence.
public struct SyncReplicationEndpoints: Sendable {
  private let services: SyncServices
  private let kit: ReplicationEndpointKit

  /// Makes the family.
  public init(services: SyncServices, kit: ReplicationEndpointKit) {
    self.services = services
    self.kit = kit
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] {
    [addUserAccountData, addRoomAccountData, addTag, removeTag, setPresence, bumpPresence]
  }

  private var addUserAccountData: Endpoint {
    kit.endpoint("add_user_account_data", parameters: ["user_id", "type"], isCached: false) { [services] call in
      let token = try await services.accountData.set(
        try call.userID("user_id"), type: try call.argument("type"), content: try call.body.requireObject("content"))
      return ["max_stream_id": .integer(token)]
    }
  }

  private var addRoomAccountData: Endpoint {
    kit.endpoint("add_room_account_data", parameters: ["user_id", "room_id", "type"], isCached: false) {
      [services] call in
      let token = try await services.accountData.set(
        try call.userID("user_id"), room: RoomID(unchecked: try call.argument("room_id")),
        type: try call.argument("type"), content: try call.body.requireObject("content"))
      return ["max_stream_id": .integer(token)]
    }
  }

  private var addTag: Endpoint {
    kit.endpoint("add_tag", parameters: ["user_id", "room_id", "tag"], isCached: false) { [services] call in
      let token = try await services.accountData.setTag(
        try call.userID("user_id"), room: RoomID(unchecked: try call.argument("room_id")),
        tag: try call.argument("tag"), content: try call.body.requireObject("content"))
      return ["max_stream_id": .integer(token)]
    }
  }

  private var removeTag: Endpoint {
    kit.endpoint("remove_tag", parameters: ["user_id", "room_id", "tag"], isCached: false) { [services] call in
      let token = try await services.accountData.removeTag(
        try call.userID("user_id"), room: RoomID(unchecked: try call.argument("room_id")),
        tag: try call.argument("tag"))
      return ["max_stream_id": .integer(token)]
    }
  }

  private var setPresence: Endpoint {
    kit.endpoint("presence_set_state", parameters: ["user_id"], isCached: false) { [services] call in
      let state = try call.body.requireObject("state")
      try await services.presence.setState(
        try call.userID("user_id"), device: try call.body.optionalString("device_id"),
        state: try state.requireString("presence"), statusMessage: try state.optionalString("status_msg"),
        force: try call.body.optionalBool("force_notify") ?? false,
        isSync: try call.body.optionalBool("is_sync") ?? false)
      return [:]
    }
  }

  private var bumpPresence: Endpoint {
    kit.endpoint("bump_presence_active_time", parameters: ["user_id"], isCached: false) { [services] call in
      await services.presence.bump(
        try call.userID("user_id"), device: try call.body.optionalString("device_id"))
      return [:]
    }
  }
}
