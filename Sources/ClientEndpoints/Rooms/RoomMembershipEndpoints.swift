import EndpointKit
import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import Stores

/// Serves joining, inviting, leaving, removing and banning.
public struct RoomMembershipEndpoints: Sendable {
  private let rooms: RoomServices
  private let storage: RoomStores

  /// Makes the family.
  public init(rooms: RoomServices, storage: RoomStores) {
    self.rooms = rooms
    self.storage = storage
  }

  /// Lists the endpoints.
  public var endpoints: [Endpoint] {
    let actions: [(MembershipAction, Bool)] = [
      (.join, true), (.invite, true), (.leave, true), (.ban, false), (.unban, false), (.kick, false),
    ]
    return actions.flatMap { action, isLimited in [change(action, isLimited), changeOnce(action, isLimited)] } + [
      enter(.join, method: .post, path: "join/{room}", versions: .sinceV1),
      enter(.join, method: .put, path: "join/{room}/{txnID}", versions: .sinceV1),
      enter(.knock, method: .post, path: "knock/{room}", versions: .released),
      forget(.post), forget(.put),
      joinedRooms,
    ]
  }

  private func change(_ action: MembershipAction, _ isLimited: Bool) -> Endpoint {
    Endpoint(
      name: "RoomMembership.\(action.rawValue)", method: .post,
      paths: PathPattern.client("rooms/{roomID}/\(action.rawValue)", versions: .sinceV1), auth: .guestAllowed,
      balance: .room, rateLimited: isLimited
    ) { try await answerChange(action, $0) }
  }

  private func changeOnce(_ action: MembershipAction, _ isLimited: Bool) -> Endpoint {
    Endpoint(
      name: "RoomMembershipOnce.\(action.rawValue)", method: .put,
      paths: PathPattern.client("rooms/{roomID}/\(action.rawValue)/{txnID}", versions: .sinceV1),
      auth: .guestAllowed, role: .main, rateLimited: isLimited
    ) { try await answerChange(action, $0) }
  }

  private func answerChange(_ action: MembershipAction, _ request: Request) async throws -> Response {
    let requester = try request.requester
    if requester.isGuest, action != .join, action != .leave {
      throw MatrixError.guestAccessForbidden("Guest access not allowed")
    }
    let roomID = try request.roomID()
    let body = try request.jsonObjectOrEmpty()
    if action == .invite, body["medium"] != nil, body["address"] != nil { try Self.refuseAddress(body) }
    var target = requester.userID
    if action != .join, action != .leave {
      let text = try body.requireString("user_id")
      guard let user = UserID(text) else { throw MatrixError.invalidParam("'\(text)' is not a valid user ID") }
      target = user
    }
    var change = MembershipRequest(
      roomID: roomID, target: target, action: action, transactionID: request.optionalParameter("txnID"),
      thirdPartySigned: try body.optionalObject("third_party_signed")?.json)
    if let reason = try body.optionalString("reason") { change.content["reason"] = .string(reason) }
    try await rooms.memberships.change(change, requester: requester)
    guard action == .join else { return .emptyObject }
    return .json { $0.object { $0.member("room_id", roomID.rawValue) } }
  }

  private static func refuseAddress(_ body: JSONValue) throws(MatrixError) {
    for key in ["id_server", "id_access_token"] where body[key] == nil {
      throw .missingParam("`id_server` and `id_access_token` are required when doing 3pid invite")
    }
    throw ThirdPartyInvites.refusal
  }

  /// Joins or knocks by id or alias.
  private func enter(
    _ action: MembershipAction, method: HTTPMethod, path: Text, versions: [PathPattern.ClientVersion]
  ) -> Endpoint {
    Endpoint(
      name: action == .join ? "JoinRoomAlias" : "KnockRoomAlias", method: method,
      paths: PathPattern.client(path, versions: versions), auth: action == .join ? .guestAllowed : .required,
      rateLimited: true
    ) { request in
      let body = try request.jsonObjectOrEmpty()
      let roomID = try await rooms.directory.room(try request.parameter("room"))
      let requester = try request.requester
      var change = MembershipRequest(
        roomID: roomID, target: requester.userID, action: action,
        transactionID: request.optionalParameter("txnID"),
        servers: request.queryValues("via") + request.queryValues("server_name"),
        thirdPartySigned: try body.optionalObject("third_party_signed")?.json)
      if action == .join {
        // As on Synapse, whatever a client says on this path stands in the event.
        change.content = body.json.members ?? [:]
      } else if let reason = try body.optionalString("reason") {
        change.content["reason"] = .string(reason)
      }
      try await rooms.memberships.change(change, requester: requester)
      return .json { $0.object { $0.member("room_id", roomID.rawValue) } }
    }
  }

  private func forget(_ method: HTTPMethod) -> Endpoint {
    Endpoint(
      name: "RoomForget", method: method,
      paths: PathPattern.client(
        method == .post ? "rooms/{roomID}/forget" : "rooms/{roomID}/forget/{txnID}", versions: .sinceV1),
      role: .main, rateLimited: true
    ) { request in
      try await rooms.memberships.forget(try request.roomID(), user: try request.requester.userID)
      return .emptyObject
    }
  }

  private var joinedRooms: Endpoint {
    Endpoint(
      name: "JoinedRooms", method: .get, paths: PathPattern.client("joined_rooms", versions: .sinceV1),
      auth: .guestAllowed
    ) { request in
      let user = try request.requester.userID
      try await storage.barrier.pass(membershipsOf: user)
      let joined = try await storage.memberships.rooms(for: user, memberships: [.join])
      return .json { $0.object { $0.member("joined_rooms", strings: joined.map(\.roomID.rawValue)) } }
    }
  }
}
