import MatrixPrimitives
import Replication

/// `POST presence_set_state/<user_id>`, body `{"device_id": "D"|null, "state": {"presence": "online", "status_msg": "…"},
/// "force_notify": false, "is_sync": false}`: sets what a user asked for, or what came with a sync.
struct SetPresence: ReplicationCall {
  static let name = "presence_set_state"
  static let argumentNames = ["user_id"]
  static let isCached = false

  let userID: UserID
  let deviceID: Text?
  /// `online`, `unavailable` or `offline`.
  let state: Text
  let statusMessage: Text?
  /// Whether the state is published although nothing changed.
  let force: Bool
  /// Whether the state came with a sync.
  let isSync: Bool

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .writer(of: .presence) }

  func writeMembers(to writer: inout JSONWriter) {
    writer.member("device_id", deviceID.map(JSON.string) ?? .null)
    writer.key("state")
    writer.beginObject()
    writer.member("presence", state)
    writer.memberIfPresent("status_msg", statusMessage)
    writer.endObject()
    writer.member("force_notify", force)
    writer.member("is_sync", isSync)
  }

  typealias Answer = EmptyAnswer
}

extension SetPresence {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    let content = try body.requireObject("state")
    userID = try arguments.identifier("user_id")
    deviceID = try body.optionalString("device_id")
    state = try content.requireString("presence")
    statusMessage = try content.optionalString("status_msg")
    force = try body.optionalBool("force_notify") ?? false
    isSync = try body.optionalBool("is_sync") ?? false
  }
}

/// `POST bump_presence_active_time/<user_id>`, body `{"device_id": "D"|null}`: a user did something.
struct BumpPresence: ReplicationCall {
  static let name = "bump_presence_active_time"
  static let argumentNames = ["user_id"]
  static let isCached = false

  let userID: UserID
  let deviceID: Text?

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .writer(of: .presence) }

  func writeMembers(to writer: inout JSONWriter) { writer.member("device_id", deviceID.map(JSON.string) ?? .null) }

  typealias Answer = EmptyAnswer
}

extension BumpPresence {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    deviceID = try body.optionalString("device_id")
  }
}
