import EndpointKit
import MatrixPrimitives
import RoomServices

/// Sending: messages, state and redactions. Those without a transaction id are Synapse's.
package struct RoomSendEndpoints: Sendable {
  private let rooms: RoomServices

  /// Makes the family.
  package init(rooms: RoomServices) { self.rooms = rooms }

  /// The operations of the family.
  package var family: EndpointFamily {
    let send = "rooms/{roomID}/send/{eventType}"
    let redact = "rooms/{roomID}/redact/{eventID}"
    return EndpointFamily(
      "sending",
      [
        .put(
          "sendMessage", .client("\(send)/{txnID}", .sinceV1), as: UserOrGuest.self, balance: .room, to: sendMessage),
        .post("sendMessageAgain", .client(send, .sinceV1), as: UserOrGuest.self, balance: .room, to: sendMessage),
        .put("setRoomStateWithKey", RoomStateEndpoints.event, as: UserOrGuest.self, balance: .room, to: setState),
        .put("redactEvent", .client("\(redact)/{txnID}", .sinceV1), as: User.self, balance: .room, to: redactEvent),
        .post("redactEventAgain", .client(redact, .sinceV1), as: User.self, balance: .room, to: redactEvent),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
  private func sendMessage(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    try await refuseDelay(request, caller)
    let content = try request.jsonObject()
    let draft = ClientEventDraft(
      roomID: try request.roomID, type: try request.parameter("eventType"), content: content.json,
      transactionID: request.optionalParameter("txnID"), originServerTS: try Self.time(request, caller),
      redacts: content["redacts"]?.string.flatMap { EventID($0) })
    return Self.answer(try await rooms.submitter.submit(draft, requester: caller.requester))
  }

  /// Refuses what is to be sent later (MSC4140): sent at once it would say the contrary, as a call's end when it begins. Error and
  /// limit are those of a Synapse whose configuration allows no delay.
  private func refuseDelay(_ request: Request, _ caller: UserOrGuest) async throws {
    guard try request.queryInteger("org.matrix.msc4140.delay") != nil else { return }
    try await rooms.submitter.checkRate(caller.requester)
    throw MatrixError.forbidden("Sending delayed events has been disallowed")
  }

  /// Returns the time that an application service gives an event; nil for any other caller.
  private static func time(_ request: Request, _ caller: UserOrGuest) throws(MatrixError) -> Int64? {
    guard caller.requester.appserviceID != nil else { return nil }
    return try request.queryInteger("ts").map(Int64.init)
  }

  private static func answer(_ eventID: EventID) -> Response {
    .json { $0.object { $0.member("event_id", eventID.rawValue) } }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey
  private func setState(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    try await refuseDelay(request, caller)
    let roomID = try request.roomID
    let type = try request.parameter("eventType")
    let stateKey = request.optionalParameter("stateKey") ?? ""
    let content = try request.jsonObject()
    let time = try Self.time(request, caller)
    if type == "m.room.member" {
      let change = try Self.membershipChange(roomID, stateKey, content, time)
      return Self.answer(try await rooms.memberships.change(change, requester: caller.requester))
    }
    let draft = ClientEventDraft(
      roomID: roomID, type: type, stateKey: stateKey, content: content.json, originServerTS: time)
    let eventID = try await rooms.submitter.submit(draft, requester: caller.requester)
    if type == "m.room.guest_access", stateKey.isEmpty { try await rooms.memberships.dismissGuests(from: roomID) }
    return Self.answer(eventID)
  }

  /// Reads a membership that a client sets as state.
  private static func membershipChange(
    _ roomID: RoomID, _ stateKey: Text, _ content: JSONValue, _ time: Int64?
  ) throws(MatrixError) -> MembershipRequest {
    guard let membership = content["membership"]?.string else {
      throw .badJSON("Invalid membership (must be a string)")
    }
    guard let action = MembershipAction(membership: membership) else { throw .badJSON("Invalid membership key") }
    return MembershipRequest(
      roomID: roomID, target: try UserID(checking: stateKey), action: action, content: content.json.members ?? [:],
      originServerTS: time)
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid
  private func redactEvent(_ user: User, _ request: Request) async throws -> Response {
    let eventID = try await rooms.submitter.redact(
      try request.eventID, in: try request.roomID, content: try request.jsonObject(),
      transactionID: request.optionalParameter("txnID"), requester: user.requester)
    return Self.answer(eventID)
  }
}
