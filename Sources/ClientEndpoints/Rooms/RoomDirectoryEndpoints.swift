import EndpointKit
import MatrixPrimitives
import RoomServices
import ServerConfig

/// Room aliases and the list of published rooms.
package struct RoomDirectoryEndpoints: Sendable {
  private let rooms: RoomServices
  private let config: HomeserverConfig

  /// Makes the family.
  package init(rooms: RoomServices, config: HomeserverConfig) {
    self.rooms = rooms
    self.config = config
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "directory",
      [
        .get("getRoomIdByAlias", Self.alias, as: Anyone.self, to: resolve),
        .put("setRoomAlias", Self.alias, as: User.self, to: createAlias),
        .delete("deleteRoomAlias", Self.alias, as: User.self, to: deleteAlias),
        .get("getRoomVisibilityOnDirectory", Self.visibility, as: Anyone.self, on: .main, to: visibility),
        .put("setRoomVisibilityOnDirectory", Self.visibility, as: User.self, on: .main, to: setVisibility),
        config.rooms.allowsPublicListWithoutAuth
          ? .get("getPublicRooms", Self.publicRooms, as: AnyoneKnown.self, to: publicRooms)
          : .get("getPublicRooms", Self.publicRooms, as: UserOrGuest.self, to: publicRooms),
        .post("queryPublicRooms", Self.publicRooms, as: UserOrGuest.self, to: searchPublicRooms),
      ])
  }

  private static let alias = EndpointPaths.client("directory/room/{roomAlias}", .sinceV1)
  private static let visibility = EndpointPaths.client("directory/list/room/{roomID}", .sinceV1)
  private static let publicRooms = EndpointPaths.client("publicRooms", .sinceV1)

  // MARK: Aliases

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3directoryroomroomalias
  private func resolve(_ caller: Anyone, _ request: Request) async throws -> Response {
    let found = try await rooms.directory.resolve(try request.roomAlias)
    return .json { writer in
      writer.object {
        $0.member("room_id", found.roomID.rawValue)
        $0.member("servers", strings: found.servers)
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3directoryroomroomalias
  private func createAlias(_ user: User, _ request: Request) async throws -> Response {
    let alias = try request.roomAlias
    let body = try request.jsonObject()
    let roomID: RoomID = try body.require("room_id")
    let servers = try body.optionalStrings("servers")
    if let servers, !servers.allSatisfy(ServerName.isValid) {
      throw MatrixError.badJSON("'servers' contains something other than server names")
    }
    try await rooms.directory.create(alias, roomID: roomID, servers: servers, requester: user.requester)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3directoryroomroomalias
  private func deleteAlias(_ user: User, _ request: Request) async throws -> Response {
    try await rooms.directory.delete(try request.roomAlias, requester: user.requester)
    return .emptyObject
  }

  // MARK: Published rooms

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3directorylistroomroomid
  private func visibility(_ caller: Anyone, _ request: Request) async throws -> Response {
    let isPublic = try await rooms.directory.isPublished(try request.roomID)
    return .json { $0.object { $0.member("visibility", isPublic ? "public" : "private") } }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3directorylistroomroomid
  private func setVisibility(_ user: User, _ request: Request) async throws -> Response {
    let visibility = try request.jsonObject().optionalString("visibility") ?? "public"
    guard visibility == "public" || visibility == "private" else {
      throw MatrixError.badJSON("visibility must be public or private")
    }
    try await rooms.directory.setPublished(try request.roomID, visibility == "public", requester: user.requester)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3publicrooms
  private func publicRooms(_ caller: some Caller, _ request: Request) async throws -> Response {
    try refuseOtherServers(request)
    let page = try await rooms.directory.publicRooms(
      limit: Self.limit(try request.queryInteger("limit")), since: request.queryValue("since"))
    return Self.answer(page)
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3publicrooms
  private func searchPublicRooms(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    try refuseOtherServers(request)
    let search = try Search(try request.jsonObjectOrEmpty())
    let page = try await rooms.directory.publicRooms(
      searchTerm: search.term, roomTypes: search.roomTypes, network: search.network, limit: search.limit,
      since: search.since)
    return Self.answer(page)
  }

  /// The body of a search.
  private struct Search {
    let limit: Int?
    let since: Text?
    let term: Text?
    let roomTypes: [Text?]?
    let network: PublicRoomList

    init(_ body: JSONValue) throws(MatrixError) {
      let limit = try body.optionalInteger("limit")
      if let limit, limit < 0 { throw .invalidParam("limit must not be negative") }
      self.limit = RoomDirectoryEndpoints.limit(limit.map { Int(clamping: $0) })
      since = try body.optionalString("since")
      let includesAll = try body.optionalBool("include_all_networks") ?? false
      let instance = try body.optionalString("third_party_instance_id")
      if includesAll, instance != nil {
        throw .unknown("Can't use include_all_networks with an explicit network", status: 400)
      }
      let known: PublicRoomList? = if let instance { PublicRoomList(instanceID: instance) } else { .main }
      guard let known else { throw .unknown("Invalid ID of a network", status: 400) }
      network = includesAll ? .all : known
      let filter = try body.optionalObject("filter")
      term = try filter?.optionalString("generic_search_term")
      guard let types = try filter?.optionalArray("room_types") else {
        roomTypes = nil
        return
      }
      var list: [Text?] = []
      for type in types {
        guard type.isNull || type.string != nil else {
          throw .badJSON("'room_types' contains something other than strings")
        }
        list.append(type.string)
      }
      roomTypes = list
    }
  }

  /// Reads a limit: 0 means none.
  private static func limit(_ value: Int?) -> Int? { value == 0 ? nil : value }

  private func refuseOtherServers(_ request: Request) throws(MatrixError) {
    guard let server = request.queryValue("server"), server != config.serverName else { return }
    guard ServerName.isValid(server) else { throw .invalidParam("Invalid server name: \(server)") }
    throw .notFound("The room list of \(server) cannot be fetched: federation is not available")
  }

  private static func answer(_ page: PublicRoomPage) -> Response {
    .json { writer in
      writer.object { object in
        object.array("chunk") { list in
          for room in page.chunk {
            list.object {
              $0.member("room_id", room.roomID.rawValue)
              $0.memberIfPresent("name", room.name)
              $0.memberIfPresent("topic", room.topic)
              $0.memberIfPresent("canonical_alias", room.canonicalAlias)
              $0.member("num_joined_members", room.joinedMembers)
              $0.memberIfPresent("avatar_url", room.avatarURL)
              $0.member("world_readable", room.historyVisibility == "world_readable")
              $0.member("guest_can_join", room.guestAccess == "can_join")
              $0.memberIfPresent("join_rule", room.joinRule)
              $0.memberIfPresent("room_type", room.roomType)
            }
          }
        }
        object.memberIfPresent("next_batch", page.nextBatch)
        object.memberIfPresent("prev_batch", page.previousBatch)
        object.member("total_room_count_estimate", page.total)
      }
    }
  }
}
