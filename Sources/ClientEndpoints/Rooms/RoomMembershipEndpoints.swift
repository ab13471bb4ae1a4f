import EndpointKit
import MatrixPrimitives
import RoomServices

/// Joining, inviting, leaving, removing and banning.
package struct RoomMembershipEndpoints: Sendable {
  private let rooms: RoomServices

  /// Makes the family.
  package init(rooms: RoomServices) { self.rooms = rooms }

  /// The operations of the family. Those with a transaction id are Synapse's.
  package var family: EndpointFamily {
    EndpointFamily(
      "membership",
      [
        .post("joinRoomById", Self.path("join"), as: UserOrGuest.self, balance: .room, limited: true, to: join),
        .post("inviteUser", Self.path("invite"), as: User.self, balance: .room, limited: true, to: invite),
        .post("leaveRoom", Self.path("leave"), as: UserOrGuest.self, balance: .room, limited: true, to: leave),
        .post("ban", Self.path("ban"), as: User.self, balance: .room, to: ban),
        .post("unban", Self.path("unban"), as: User.self, balance: .room, to: unban),
        .post("kick", Self.path("kick"), as: User.self, balance: .room, to: kick),

        .put("joinRoomByIdOnce", Self.path("join/{txnID}"), as: UserOrGuest.self, on: .main, limited: true, to: join),
        .put("inviteUserOnce", Self.path("invite/{txnID}"), as: User.self, on: .main, limited: true, to: invite),
        .put("leaveRoomOnce", Self.path("leave/{txnID}"), as: UserOrGuest.self, on: .main, limited: true, to: leave),
        .put("banOnce", Self.path("ban/{txnID}"), as: User.self, on: .main, to: ban),
        .put("unbanOnce", Self.path("unban/{txnID}"), as: User.self, on: .main, to: unban),
        .put("kickOnce", Self.path("kick/{txnID}"), as: User.self, on: .main, to: kick),

        .post("joinRoom", .client("join/{room}", .sinceV1), as: UserOrGuest.self, limited: true, to: joinByName),
        .put(
          "joinRoomOnce", .client("join/{room}/{txnID}", .sinceV1), as: UserOrGuest.self, limited: true, to: joinByName),
        .post("knockRoom", .client("knock/{room}", .released), as: User.self, limited: true, to: knock),
        .post("forgetRoom", Self.path("forget"), as: User.self, on: .main, limited: true, to: forget),
        .put("forgetRoomOnce", Self.path("forget/{txnID}"), as: User.self, on: .main, limited: true, to: forget),
        .get("getJoinedRooms", .client("joined_rooms", .sinceV1), as: UserOrGuest.self, to: joinedRooms),
      ])
  }

  private static func path(_ action: Text) -> EndpointPaths { .client("rooms/{roomID}/\(action)", .sinceV1) }

  // MARK: By the room's id

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidjoin
  private func join(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    try await change(.join, of: caller.userID, by: caller, request, try request.jsonObjectOrEmpty())
    let roomID = try request.roomID
    return .json { $0.object { $0.member("room_id", roomID.rawValue) } }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidleave
  private func leave(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    try await change(.leave, of: caller.userID, by: caller, request, try request.jsonObjectOrEmpty())
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidinvite
  private func invite(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObjectOrEmpty()
    if body["medium"] != nil, body["address"] != nil { try Self.refuseAddress(body) }
    try await change(.invite, of: try body.require("user_id"), by: user, request, body)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidban
  private func ban(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObjectOrEmpty()
    try await change(.ban, of: try body.require("user_id"), by: user, request, body)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidunban
  private func unban(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObjectOrEmpty()
    try await change(.unban, of: try body.require("user_id"), by: user, request, body)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidkick
  private func kick(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObjectOrEmpty()
    try await change(.kick, of: try body.require("user_id"), by: user, request, body)
    return .emptyObject
  }

  private func change(
    _ action: MembershipAction, of target: UserID, by caller: some AccountHolder, _ request: Request, _ body: JSONValue
  ) async throws {
    var change = MembershipRequest(
      roomID: try request.roomID, target: target, action: action, transactionID: request.optionalParameter("txnID"),
      thirdPartySigned: try body.optionalObject("third_party_signed")?.json)
    if let reason = try body.optionalString("reason") { change.content["reason"] = .string(reason) }
    try await rooms.memberships.change(change, requester: caller.requester)
  }

  private static func refuseAddress(_ body: JSONValue) throws(MatrixError) {
    for key in ["id_server", "id_access_token"] where body[key] == nil {
      throw .missingParam("`id_server` and `id_access_token` are required when doing 3pid invite")
    }
    throw ThirdPartyInvites.refusal
  }

  // MARK: By id or alias

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3joinroomidoralias
  private func joinByName(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    // As on Synapse, the event contains whatever a client sends on this path.
    let body = try request.jsonObjectOrEmpty()
    return try await enter(.join, caller, request, body, content: body.json.members ?? [:])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3knockroomidoralias
  private func knock(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObjectOrEmpty()
    let reason = try body.optionalString("reason")
    return try await enter(.knock, user, request, body, content: reason.map { ["reason": .string($0)] } ?? [:])
  }

  private func enter(
    _ action: MembershipAction, _ caller: some AccountHolder, _ request: Request, _ body: JSONValue,
    content: [Text: JSON]
  ) async throws -> Response {
    let roomID = try await rooms.directory.room(try request.parameter("room"))
    var change = MembershipRequest(
      roomID: roomID, target: caller.userID, action: action, transactionID: request.optionalParameter("txnID"),
      servers: request.queryValues("via") + request.queryValues("server_name"),
      thirdPartySigned: try body.optionalObject("third_party_signed")?.json)
    change.content = content
    try await rooms.memberships.change(change, requester: caller.requester)
    return .json { $0.object { $0.member("room_id", roomID.rawValue) } }
  }

  // MARK: What remains

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidforget
  private func forget(_ user: User, _ request: Request) async throws -> Response {
    try await rooms.memberships.forget(try request.roomID, user: user.userID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3joined_rooms
  private func joinedRooms(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let joined = try await rooms.memberships.joinedRooms(of: caller.userID)
    return .json { $0.object { $0.member("joined_rooms", strings: joined.map(\.rawValue)) } }
  }
}
