import EndpointKit
import MatrixPrimitives
import RoomServices
import ServerConfig
import Stores

/// Serves room aliases and the list of published rooms.
public struct RoomDirectoryEndpoints: Sendable {
  private let rooms: RoomServices
  private let config: HomeserverConfig

  /// Makes the family.
  public init(rooms: RoomServices, config: HomeserverConfig) {
    self.rooms = rooms
    self.config = config
  }

  /// Lists the endpoints.
  public var endpoints: [Endpoint] {
    [resolve, createAlias, deleteAlias, visibility, setVisibility, publicRooms, searchPublicRooms]
  }

  // MARK: Aliases

  private static let aliasPaths = PathPattern.client("directory/room/{roomAlias}", versions: .sinceV1)

  private var resolve: Endpoint {
    Endpoint(name: "ClientDirectoryGet", method: .get, paths: Self.aliasPaths, auth: .none) { request in
      let found = try await rooms.directory.resolve(try request.roomAlias())
      return .json { writer in
        writer.object {
          $0.member("room_id", found.roomID.rawValue)
          $0.member("servers", strings: found.servers)
        }
      }
    }
  }

  private var createAlias: Endpoint {
    Endpoint(name: "ClientDirectoryPut", method: .put, paths: Self.aliasPaths) { request in
      let alias = try request.roomAlias()
      let body = try request.jsonObject()
      let text = try body.requireString("room_id")
      guard let roomID = RoomID(text) else { throw MatrixError.invalidParam("'\(text)' is not a valid room ID") }
      var servers: [Text]?
      if let list = try body.optionalArray("servers") {
        servers = []
        for element in list {
          guard let name = element.string, ServerName.isValid(name) else {
            throw MatrixError.badJSON("'servers' contains something other than server names")
          }
          servers?.append(name)
        }
      }
      try await rooms.directory.create(alias, roomID: roomID, servers: servers, requester: try request.requester)
      return .emptyObject
    }
  }

  private var deleteAlias: Endpoint {
    Endpoint(name: "ClientDirectoryDelete", method: .delete, paths: Self.aliasPaths) { request in
      try await rooms.directory.delete(try request.roomAlias(), requester: try request.requester)
      return .emptyObject
    }
  }

  // MARK: Published rooms

  private static let listPaths = PathPattern.client("directory/list/room/{roomID}", versions: .sinceV1)

  private var visibility: Endpoint {
    Endpoint(
      name: "ClientDirectoryListGet", method: .get, paths: Self.listPaths, auth: .none, role: .main
    ) { request in
      let isPublic = try await rooms.directory.isPublished(try request.roomID())
      return .json { $0.object { $0.member("visibility", isPublic ? "public" : "private") } }
    }
  }

  private var setVisibility: Endpoint {
    Endpoint(name: "ClientDirectoryListPut", method: .put, paths: Self.listPaths, role: .main) { request in
      let visibility = try request.jsonObject().optionalString("visibility") ?? "public"
      guard visibility == "public" || visibility == "private" else {
        throw MatrixError.badJSON("visibility must be public or private")
      }
      try await rooms.directory.setPublished(
        try request.roomID(), visibility == "public", requester: try request.requester)
      return .emptyObject
    }
  }

  private var publicRooms: Endpoint {
    Endpoint(
      name: "PublicRoomListGet", method: .get, paths: PathPattern.client("publicRooms", versions: .sinceV1),
      auth: config.rooms.allowsPublicListWithoutAuth ? .optional : .guestAllowed
    ) { request in
      try refuseOtherServers(request)
      let page = try await rooms.directory.publicRooms(
        filter: PublicRoomStore.Filter(), limit: Self.limit(try request.queryInteger("limit")),
        since: request.queryValue("since"))
      return Self.answer(page)
    }
  }

  private var searchPublicRooms: Endpoint {
    Endpoint(
      name: "PublicRoomListPost", method: .post, paths: PathPattern.client("publicRooms", versions: .sinceV1),
      auth: .guestAllowed
    ) { request in
      try refuseOtherServers(request)
      let body = try request.jsonObjectOrEmpty()
      let limit = try body.optionalInteger("limit")
      if let limit, limit < 0 { throw MatrixError.invalidParam("limit must not be negative") }
      let page = try await rooms.directory.publicRooms(
        filter: try Self.filter(body), limit: Self.limit(limit.map { Int(clamping: $0) }),
        since: try body.optionalString("since"))
      return Self.answer(page)
    }
  }

  /// Reads a limit: 0 means none.
  private static func limit(_ value: Int?) -> Int? { value == 0 ? nil : value }

  private func refuseOtherServers(_ request: Request) throws(MatrixError) {
    guard let server = request.queryValue("server"), server != config.serverName else { return }
    guard ServerName.isValid(server) else { throw .invalidParam("Invalid server name: \(server)") }
    throw .notFound("The room list of \(server) cannot be fetched: federation is not available")
  }

  private static func filter(_ body: JSONValue) throws(MatrixError) -> PublicRoomStore.Filter {
    let includesAll = try body.optionalBool("include_all_networks") ?? false
    if includesAll, try body.optionalString("third_party_instance_id") != nil {
      throw .unknown("Can't use include_all_networks with an explicit network", status: 400)
    }
    guard let object = try body.optionalObject("filter") else { return PublicRoomStore.Filter() }
    var filter = PublicRoomStore.Filter(searchTerm: try object.optionalString("generic_search_term"))
    if let types = try object.optionalArray("room_types") {
      var list: [Text?] = []
      for type in types {
        guard type.isNull || type.string != nil else {
          throw .badJSON("'room_types' contains something other than strings")
        }
        list.append(type.string)
      }
      filter.roomTypes = list
    }
    return filter
  }

  private static func answer(_ page: PublicRoomPage) -> Response {
    .json { writer in
      writer.object { object in
        object.array("chunk") { for room in page.chunk { write(room, to: &$0) } }
        object.memberIfPresent("next_batch", page.nextBatch)
        object.memberIfPresent("prev_batch", page.previousBatch)
        object.member("total_room_count_estimate", page.total)
      }
    }
  }

  private static func write(_ room: PublicRoomStore.Entry, to writer: inout JSONWriter) {
    writer.object {
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
