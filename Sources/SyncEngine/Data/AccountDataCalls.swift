import MatrixPrimitives
import Replication

/// `POST add_user_account_data/<user_id>/<type>`, body `{"content": {…}}`: sets a piece of global account data.
struct AddUserAccountData: ReplicationCall {
  static let name = "add_user_account_data"
  static let argumentNames = ["user_id", "type"]
  static let isCached = false

  let userID: UserID
  let type: Text
  let content: JSONValue

  var arguments: [Text] { [userID.rawValue, type] }
  var destination: CallDestination { .writer(of: .accountData) }

  func writeMembers(to writer: inout JSONWriter) { writer.member("content", content) }

  typealias Answer = StreamIDAnswer
}

extension AddUserAccountData {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    type = try arguments.text("type")
    content = try body.requireObject("content")
  }
}

/// `POST add_room_account_data/<user_id>/<room_id>/<type>`, body `{"content": {…}}`: sets a piece of account data of a room.
struct AddRoomAccountData: ReplicationCall {
  static let name = "add_room_account_data"
  static let argumentNames = ["user_id", "room_id", "type"]
  static let isCached = false

  let userID: UserID
  let roomID: RoomID
  let type: Text
  let content: JSONValue

  var arguments: [Text] { [userID.rawValue, roomID.rawValue, type] }
  var destination: CallDestination { .writer(of: .accountData) }

  func writeMembers(to writer: inout JSONWriter) { writer.member("content", content) }

  typealias Answer = StreamIDAnswer
}

extension AddRoomAccountData {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    roomID = try arguments.identifier("room_id")
    type = try arguments.text("type")
    content = try body.requireObject("content")
  }
}

/// `POST add_tag/<user_id>/<room_id>/<tag>`, body `{"content": {…}}`: sets a tag of a room.
struct AddTag: ReplicationCall {
  static let name = "add_tag"
  static let argumentNames = ["user_id", "room_id", "tag"]
  static let isCached = false

  let userID: UserID
  let roomID: RoomID
  let tag: Text
  let content: JSONValue

  var arguments: [Text] { [userID.rawValue, roomID.rawValue, tag] }
  var destination: CallDestination { .writer(of: .accountData) }

  func writeMembers(to writer: inout JSONWriter) { writer.member("content", content) }

  typealias Answer = StreamIDAnswer
}

extension AddTag {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    roomID = try arguments.identifier("room_id")
    tag = try arguments.text("tag")
    content = try body.requireObject("content")
  }
}

/// `POST remove_tag/<user_id>/<room_id>/<tag>`, body `{}`: removes a tag of a room.
struct RemoveTag: ReplicationCall {
  static let name = "remove_tag"
  static let argumentNames = ["user_id", "room_id", "tag"]
  static let isCached = false

  let userID: UserID
  let roomID: RoomID
  let tag: Text

  var arguments: [Text] { [userID.rawValue, roomID.rawValue, tag] }
  var destination: CallDestination { .writer(of: .accountData) }

  typealias Answer = StreamIDAnswer
}

extension RemoveTag {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    roomID = try arguments.identifier("room_id")
    tag = try arguments.text("tag")
  }
}

/// `POST remove_user_account_data/<user_id>/<type>`, body `{}`: deletes a piece of global account data (MSC3391).
struct RemoveUserAccountData: ReplicationCall {
  static let name = "remove_user_account_data"
  static let argumentNames = ["user_id", "type"]
  static let isCached = false

  let userID: UserID
  let type: Text

  var arguments: [Text] { [userID.rawValue, type] }
  var destination: CallDestination { .writer(of: .accountData) }

  typealias Answer = StreamIDAnswer
}

extension RemoveUserAccountData {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    type = try arguments.text("type")
  }
}

/// `POST remove_room_account_data/<user_id>/<room_id>/<type>`, body `{}`: deletes a piece of account data of a room (MSC3391).
struct RemoveRoomAccountData: ReplicationCall {
  static let name = "remove_room_account_data"
  static let argumentNames = ["user_id", "room_id", "type"]
  static let isCached = false

  let userID: UserID
  let roomID: RoomID
  let type: Text

  var arguments: [Text] { [userID.rawValue, roomID.rawValue, type] }
  var destination: CallDestination { .writer(of: .accountData) }

  typealias Answer = StreamIDAnswer
}

extension RemoveRoomAccountData {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    roomID = try arguments.identifier("room_id")
    type = try arguments.text("type")
  }
}
