import MatrixPrimitives
import Replication

/// `POST added_delayed_event/`, body `{"next_send_ts": …}`: tells the main process, which sends delayed events, when the next one is due.
struct AddedDelayedEvent: ReplicationCall {
  static let name = "added_delayed_event"
  static let argumentNames: [Text] = []
  static let isCached = false
  static let isServedByMainOnly = true

  let nextSendTS: Int64

  var arguments: [Text] { [] }
  var destination: CallDestination { .main }

  func writeMembers(to writer: inout JSONWriter) { writer.member("next_send_ts", nextSendTS) }

  typealias Answer = EmptyAnswer
}

extension AddedDelayedEvent {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    nextSendTS = try body.requireInteger("next_send_ts")
  }
}

/// `POST cancel_delayed_events_for_user/<user_localpart>`, body `{}`: has the main process cancel all delayed events of a user.
struct CancelDelayedEvents: ReplicationCall {
  static let name = "cancel_delayed_events_for_user"
  static let argumentNames = ["user_localpart"]
  static let isCached = false
  static let isServedByMainOnly = true

  let localpart: Text

  var arguments: [Text] { [localpart] }
  var destination: CallDestination { .main }

  typealias Answer = EmptyAnswer
}

extension CancelDelayedEvents {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    localpart = try arguments.text("user_localpart")
  }
}
