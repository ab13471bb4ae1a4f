import MatrixPrimitives
import Replication

/// `POST notify_account_deactivated/<user_id>/<transaction id>`, body `{"by_admin": false}`: the rooms of an account are to be left.
struct AccountDeactivated: ReplicationCall {
  static let name = "notify_account_deactivated"
  static let argumentNames = ["user_id"]
  static let isCached = true
  static let isServedByMainOnly = true

  let userID: UserID
  /// Whether an administrator deactivated the account.
  let isByAdministrator: Bool

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .main }

  func writeMembers(to writer: inout JSONWriter) { writer.member("by_admin", isByAdministrator) }

  typealias Answer = EmptyAnswer
}

extension AccountDeactivated {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    isByAdministrator = try body.optionalBool("by_admin") ?? false
  }
}

/// `POST post_register/<user_id>/<transaction id>`, body `{"auth_result": {…}, "access_token": "…"|null}`: a worker of Synapse has registered
/// a user.
struct AccountRegistered: ReplicationCall {
  static let name = "post_register"
  static let argumentNames = ["user_id"]
  static let isCached = true
  static let isServedByMainOnly = true

  let userID: Text
  /// The stages that were passed, with what they brought.
  let stages: JSON
  let accessToken: Text?

  var arguments: [Text] { [userID] }
  var destination: CallDestination { .main }

  func writeMembers(to writer: inout JSONWriter) {
    writer.member("auth_result", stages)
    writer.member("access_token", accessToken.map(JSON.string) ?? .null)
  }

  typealias Answer = EmptyAnswer
}

extension AccountRegistered {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.text("user_id")
    stages = body["auth_result"]?.json ?? [:]
    accessToken = body["access_token"]?.string
  }
}
