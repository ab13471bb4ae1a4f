import EndpointKit
import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// Serves sending: messages, state and redactions.
public struct RoomSendEndpoints: Sendable {
  private let rooms: RoomServices
  private let storage: RoomStores

  /// Makes the family.
  public init(rooms: RoomServices, storage: RoomStores) {
    self.rooms = rooms
    self.storage = storage
  }

  /// Lists the endpoints.
  public var endpoints: [Endpoint] { [sendOnce, send, setState, redactOnce, redact] }

  private var sendOnce: Endpoint {
    Endpoint(
      name: "RoomSendEvent", method: .put,
      paths: PathPattern.client("rooms/{roomID}/send/{eventType}/{txnID}", versions: .sinceV1), auth: .guestAllowed,
      balance: .room
    ) { try await answerSend($0) }
  }

  private var send: Endpoint {
    Endpoint(
      name: "RoomSendEventPost", method: .post,
      paths: PathPattern.client("rooms/{roomID}/send/{eventType}", versions: .sinceV1), auth: .guestAllowed,
      balance: .room
    ) { try await answerSend($0) }
  }

  private func answerSend(_ request: Request) async throws -> Response {
    let requester = try request.requester
    try await refuseDelay(request, requester)
    let content = try request.jsonObject()
    let draft = ClientEventDraft(
      roomID: try request.roomID(), type: try request.parameter("eventType"), content: content.json,
      transactionID: request.optionalParameter("txnID"),
      originServerTS: requester.appserviceID == nil ? nil : try request.queryInteger("ts").map(Int64.init),
      redacts: content["redacts"]?.string.flatMap { EventID($0) })
    return Self.answer(try await rooms.sender.send(draft, requester: requester))
  }

  /// Refuses what is to be sent later (MSC4140): sent at once it would say the contrary, as a call's end when it begins. Error and
  /// limit are those of a Synapse whose configuration allows no delay.
  private func refuseDelay(_ request: Request, _ requester: Requester) async throws {
    guard try request.queryInteger("org.matrix.msc4140.delay") != nil else { return }
    try await rooms.sender.checkRate(requester)
    throw MatrixError.forbidden("Sending delayed events has been disallowed")
  }

  private static func answer(_ eventID: EventID) -> Response {
    .json { $0.object { $0.member("event_id", eventID.rawValue) } }
  }

  private var setState: Endpoint {
    Endpoint(
      name: "RoomStateEventPut", method: .put,
      paths: PathPattern.client("rooms/{roomID}/state/{eventType}/{stateKey}", versions: .sinceV1)
        + PathPattern.client("rooms/{roomID}/state/{eventType}", versions: .sinceV1),
      auth: .guestAllowed, balance: .room
    ) { request in
      let requester = try request.requester
      try await refuseDelay(request, requester)
      let roomID = try request.roomID()
      let type = try request.parameter("eventType")
      let stateKey = request.optionalParameter("stateKey") ?? ""
      let content = try request.jsonObject()
      let time = requester.appserviceID == nil ? nil : try request.queryInteger("ts").map(Int64.init)
      if type == "m.room.member" {
        let change = try Self.membershipChange(roomID, stateKey, content, time)
        return Self.answer(try await rooms.memberships.change(change, requester: requester))
      }
      let draft = ClientEventDraft(
        roomID: roomID, type: type, stateKey: stateKey, content: content.json, originServerTS: time)
      let eventID = try await rooms.sender.send(draft, requester: requester)
      if type == "m.room.guest_access", stateKey.isEmpty { try await rooms.memberships.dismissGuests(from: roomID) }
      return Self.answer(eventID)
    }
  }

  /// Reads a membership that a client sets as state.
  private static func membershipChange(
    _ roomID: RoomID, _ stateKey: Text, _ content: JSONValue, _ time: Int64?
  ) throws(MatrixError) -> MembershipRequest {
    guard let membership = content["membership"]?.string else {
      throw .badJSON("Invalid membership (must be a string)")
    }
    guard Membership(rawValue: membership) != nil, let action = MembershipAction(rawValue: membership) else {
      throw .badJSON("Invalid membership key")
    }
    guard let target = UserID(stateKey) else { throw .invalidParam("'\(stateKey)' is not a valid user ID") }
    return MembershipRequest(
      roomID: roomID, target: target, action: action, content: content.json.members ?? [:], originServerTS: time)
  }

  private var redactOnce: Endpoint {
    Endpoint(
      name: "RoomRedactEvent", method: .put,
      paths: PathPattern.client("rooms/{roomID}/redact/{eventID}/{txnID}", versions: .sinceV1), balance: .room
    ) { try await answerRedact($0) }
  }

  private var redact: Endpoint {
    Endpoint(
      name: "RoomRedactEventPost", method: .post,
      paths: PathPattern.client("rooms/{roomID}/redact/{eventID}", versions: .sinceV1), balance: .room
    ) { try await answerRedact($0) }
  }

  private func answerRedact(_ request: Request) async throws -> Response {
    let roomID = try request.roomID()
    let target = try request.eventID()
    let content = try request.jsonObject()
    guard let version = try await storage.rooms.version(of: roomID) else {
      throw MatrixError.notFound("Could not find room version for \(roomID.rawValue)")
    }
    if version.hasRedactsInContent, let named = content["redacts"], named.string != target.rawValue {
      throw MatrixError.invalidParam(
        "Cannot provide a redacts value incoherent with the event_id of the URL parameter")
    }
    let draft = ClientEventDraft(
      roomID: roomID, type: "m.room.redaction", content: content.json,
      transactionID: request.optionalParameter("txnID"), redacts: target)
    return Self.answer(try await rooms.sender.send(draft, requester: try request.requester))
  }
}
