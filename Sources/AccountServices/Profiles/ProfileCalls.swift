import MatrixPrimitives
import Replication

// A process of Synapse that writes no events has profiles set by the first process that does, which also writes the new name into rooms.
// It has authenticated the requester, and names no more than the user.

/// `POST profile_set_field/<user_id>`, body `{"requester": "@a:hs", "field_name": "displayname", "new_value": …, "by_admin": false,
/// "propagate": true}`: sets a field of a profile.
struct SetProfileField: ReplicationCall {
  static let name = "profile_set_field"
  static let argumentNames = ["user_id"]
  static let isCached = false

  let userID: UserID
  let requester: UserID
  let field: Text
  let value: JSON
  let isByAdministrator: Bool
  /// Whether a new name or avatar is written into the user's memberships.
  let reachesRooms: Bool

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .firstWriter(of: .events) }

  func writeMembers(to writer: inout JSONWriter) {
    writer.member("requester", requester)
    writer.member("field_name", field)
    writer.member("new_value", value)
    writer.member("by_admin", isByAdministrator)
    writer.member("propagate", reachesRooms)
  }

  typealias Answer = EmptyAnswer
}

extension SetProfileField {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    guard let value = body["new_value"] else { throw .missingParam("Missing key 'new_value'") }
    self.value = value.json
    field = try body.requireString("field_name")
    userID = try arguments.identifier("user_id")
    requester = try body.requireRequester()
    isByAdministrator = try body.optionalBool("by_admin") ?? false
    reachesRooms = try body.optionalBool("propagate") ?? true
  }
}

/// `POST profile_delete_field/<user_id>`, body `{"requester": "@a:hs", "field_name": "m.tz", "by_admin": false}`: removes a field of a profile.
struct DeleteProfileField: ReplicationCall {
  static let name = "profile_delete_field"
  static let argumentNames = ["user_id"]
  static let isCached = false

  let userID: UserID
  let requester: UserID
  let field: Text
  let isByAdministrator: Bool

  var arguments: [Text] { [userID.rawValue] }
  var destination: CallDestination { .firstWriter(of: .events) }

  func writeMembers(to writer: inout JSONWriter) {
    writer.member("requester", requester)
    writer.member("field_name", field)
    writer.member("by_admin", isByAdministrator)
  }

  typealias Answer = EmptyAnswer
}

extension DeleteProfileField {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    field = try body.requireString("field_name")
    userID = try arguments.identifier("user_id")
    requester = try body.requireRequester()
    isByAdministrator = try body.optionalBool("by_admin") ?? false
  }
}

extension JSONValue {
  fileprivate func requireRequester() throws(MatrixError) -> UserID {
    guard let user = UserID(try requireString("requester")) else {
      throw .invalidParam("'requester' must be a user ID")
    }
    return user
  }
}
