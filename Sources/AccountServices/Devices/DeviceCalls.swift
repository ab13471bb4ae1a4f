import MatrixPrimitives
import Replication

/// `POST notify_device_update/<user_id>`, body `{"device_ids": ["D", …]}`: devices of a user changed.
struct DevicesChanged: ReplicationCall {
  static let name = "notify_device_update"
  static let argumentNames = ["user_id"]
  static let isCached = false

  let userID: UserID
  let deviceIDs: [Text]

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .writer(of: .deviceLists) }

  func writeMembers(to writer: inout JSONWriter) { writer.member("device_ids", strings: deviceIDs) }

  typealias Answer = EmptyAnswer
}

extension DevicesChanged {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    var ids: [Text] = []
    for element in try body.requireArray("device_ids") {
      guard let id = element.string else { throw MatrixError.badJSON("'device_ids' must hold strings") }
      ids.append(id)
    }
    deviceIDs = ids
    userID = try arguments.identifier("user_id")
  }
}

/// `POST notify_user_signature_update/<from_user_id>`, body `{"user_ids": ["@b:hs", …]}`: a user signed other users' keys.
struct SignaturesChanged: ReplicationCall {
  static let name = "notify_user_signature_update"
  static let argumentNames = ["from_user_id"]
  static let isCached = false

  let userID: UserID
  /// The users whose keys were signed.
  let others: [UserID]

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .writer(of: .deviceLists) }

  func writeMembers(to writer: inout JSONWriter) { writer.member("user_ids", strings: others.map(\.rawValue)) }

  typealias Answer = EmptyAnswer
}

extension SignaturesChanged {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    var users: [UserID] = []
    for element in try body.requireArray("user_ids") {
      guard let user = element.string.flatMap(UserID.init) else {
        throw MatrixError.badJSON("'user_ids' must hold user IDs")
      }
      users.append(user)
    }
    others = users
    userID = try arguments.identifier("from_user_id")
  }
}

/// `POST handle_new_device_update`, body `{}`: changes of local users' devices wait to be worked out for other servers.
struct DeviceChangesWaiting: ReplicationCall {
  static let name = "handle_new_device_update"
  static let argumentNames: [Text] = []
  static let isCached = false

  var arguments: [Text] { [] }
  var destination: CallDestination { .firstWriter(of: .deviceLists) }

  typealias Answer = EmptyAnswer
}

extension DeviceChangesWaiting {
  init(arguments: CallArguments, body: JSONValue) {}
}
