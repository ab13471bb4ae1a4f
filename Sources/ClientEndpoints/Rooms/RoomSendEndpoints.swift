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
    let content = try request.jsonObject()
    let (roomID, type) = (try request.roomID, try request.parameter("eventType"))
    if let answer = try await delayed(request, caller, roomID, type, nil, content) { return answer }
    let draft = ClientEventDraft(
      roomID: roomID, type: type, content: content.json,
      transactionID: request.optionalParameter("txnID"), originServerTS: try Self.time(request, caller),
      redacts: content["redacts"]?.string.flatMap { EventID($0) })
    return Self.answer(try await rooms.submitter.submit(draft, requester: caller.requester))
  }

  /// Stores an event that is to be sent later (MSC4140), where the request says so.
  ///
  /// - Returns: nil for an event that is to be sent at once.
  private func delayed(
    _ request: Request, _ caller: UserOrGuest, _ room: RoomID, _ type: Text, _ stateKey: Text?, _ content: JSONValue
  ) async throws -> Response? {
    guard let delay = try request.queryInteger("org.matrix.msc4140.delay") else { return nil }
    let id = try await rooms.delayedEvents.add(
      DelayedEventDraft(
        roomID: room, type: type, stateKey: stateKey, content: content.json,
        originServerTS: try Self.time(request, caller)),
      delay: Int64(delay), transactionID: request.optionalParameter("txnID"), requester: caller.requester)
    return .json { $0.object { $0.member("delay_id", id) } }
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
    let roomID = try request.roomID
    let type = try request.parameter("eventType")
    let stateKey = request.optionalParameter("stateKey") ?? ""
    let content = try request.jsonObject()
    if let answer = try await delayed(request, caller, roomID, type, stateKey, content) { return answer }
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
