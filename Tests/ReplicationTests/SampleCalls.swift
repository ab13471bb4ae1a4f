import MatrixPrimitives
import Replication

/// A call with arguments, a body and an answer.
struct SampleCall: ReplicationCall {
  typealias Answer = StreamIDAnswer

  static let name = "sample_call"
  static let argumentNames = ["user_id", "type"]
  static let isCached = false

  var user: Text
  var type: Text
  var number: Int64
  var destination = CallDestination.main

  var arguments: [Text] { [user, type] }

  func writeMembers(to writer: inout JSONWriter) { writer.member("number", number) }
}

extension SampleCall {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    user = try (arguments.identifier("user_id") as UserID).rawValue
    type = try arguments.text("type")
    number = try body.requireInteger("number")
  }
}

/// A call without arguments or a body, whose answer is kept.
struct RepeatableCall: ReplicationCall {
  typealias Answer = EmptyAnswer

  static let name = "repeatable_call"
  static let argumentNames: [Text] = []
  static let isCached = true

  var arguments: [Text] { [] }
  var destination: CallDestination { .main }
}

extension RepeatableCall {
  init(arguments: CallArguments, body: JSONValue) {}
}
