import MatrixPrimitives
import Replication

/// `POST membership_change/<room_id>/<user_id>/left`, body `{}`: a worker of Synapse has seen a user leave a room.
struct MembershipChanged: ReplicationCall {
  static let name = "membership_change"
  static let argumentNames = ["room_id", "user_id", "change"]
  static let isCached = false
  static let isServedByMainOnly = true

  let roomID: Text
  let userID: Text
  let change: Text

  var arguments: [Text] { [roomID, userID, change] }
  var destination: CallDestination { .main }

  typealias Answer = EmptyAnswer
}

extension MembershipChanged {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    roomID = try arguments.text("room_id")
    userID = try arguments.text("user_id")
    change = try arguments.text("change")
  }
}

extension MembershipService {
  /// The call by which workers of Synapse tell the main process of departures, and fail the client's request unless it is answered. Nothing is
  /// left to do here: our processes learn of it from the events stream.
  var calls: [ServedCall] { [ServedCall(MembershipChanged.self) { _ in EmptyAnswer() }] }
}
