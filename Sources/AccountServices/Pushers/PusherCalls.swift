import MatrixPrimitives
import Replication

/// `POST remove_pusher/<user_id>`, body `{"app_id": "a", "pushkey": "k"}`: a pusher is to be deleted.
struct PusherRemoved: ReplicationCall {
  static let name = "remove_pusher"
  static let argumentNames = ["user_id"]
  static let isCached = false

  let userID: UserID
  let appID: Text
  let pushKey: Text

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .writer(of: .pushers) }

  func writeMembers(to writer: inout JSONWriter) {
    writer.member("app_id", appID)
    writer.member("pushkey", pushKey)
  }

  typealias Answer = EmptyAnswer
}

extension PusherRemoved {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    appID = try body.requireString("app_id")
    pushKey = try body.requireString("pushkey")
  }
}

/// `POST delete_all_pushers_for_user/<user_id>`: all pushers of a user are to be deleted.
struct AllPushersRemoved: ReplicationCall {
  static let name = "delete_all_pushers_for_user"
  static let argumentNames = ["user_id"]
  static let isCached = false

  let userID: UserID

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .writer(of: .pushers) }

  typealias Answer = EmptyAnswer
}

extension AllPushersRemoved {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
  }
}
