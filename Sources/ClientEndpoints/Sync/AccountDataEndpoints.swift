import EndpointKit
import MatrixPrimitives
import RoomServices
import Stores
import SyncEngine

/// A user's account data, global and of rooms, and tags of rooms.
public struct AccountDataEndpoints: Sendable {
  private let services: SyncServices
  private let storage: UserStores
  private let memberships: MembershipStore

  /// Makes the family.
  public init(services: SyncServices, storage: UserStores, memberships: MembershipStore) {
    self.services = services
    self.storage = storage
    self.memberships = memberships
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] { [put, get, putRoom, getRoom, listTags, putTag, deleteTag] }

  // MARK: Global

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3useruseridaccount_datatype
  private var put: Endpoint {
    Endpoint(
      name: "put_account_data", method: .put,
      paths: PathPattern.client("user/{userID}/account_data/{type}", versions: .released),
      role: .streamWriter(.accountData)
    ) { [services] request in
      let user = try Self.owner(request, "Cannot add account data for other users.")
      let type = try Self.settableType(request)
      try await services.accountData.set(user, type: type, content: try request.jsonObject())
      return .emptyObject
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridaccount_datatype
  private var get: Endpoint {
    Endpoint(
      name: "get_account_data", method: .get,
      paths: PathPattern.client("user/{userID}/account_data/{type}", versions: .released), role: .anyWorkerGETOnly
    ) { [services, storage] request in
      let user = try Self.owner(request, "Cannot get account data for other users.")
      let type = try request.parameter("type")
      if type == "m.push_rules" {
        try await services.pushRules.catchUp(user)
        return .encoded(try await services.pushRules.rulesJSON(of: user))
      }
      try await storage.barrier.pass(accountDataOf: user)
      guard let entry = try await storage.accountData.data(of: user).global[type] else {
        throw MatrixError.notFound("Account data not found")
      }
      return .encoded(entry.content)
    }
  }

  // MARK: Rooms

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3useruseridroomsroomidaccount_datatype
  private var putRoom: Endpoint {
    Endpoint(
      name: "put_room_account_data", method: .put,
      paths: PathPattern.client("user/{userID}/rooms/{roomID}/account_data/{type}", versions: .released),
      role: .streamWriter(.accountData)
    ) { [services] request in
      let user = try Self.owner(request, "Cannot add account data for other users.")
      let room = try Self.room(request)
      let type = try Self.settableType(request)
      try await services.accountData.set(user, room: room, type: type, content: try request.jsonObject())
      return .emptyObject
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype
  private var getRoom: Endpoint {
    Endpoint(
      name: "get_room_account_data", method: .get,
      paths: PathPattern.client("user/{userID}/rooms/{roomID}/account_data/{type}", versions: .released),
      role: .anyWorkerGETOnly
    ) { [storage] request in
      let user = try Self.owner(request, "Cannot get account data for other users.")
      let room = try Self.room(request)
      let type = try request.parameter("type")
      if type == "m.push_rules" { return .emptyObject }
      try await storage.barrier.pass(accountDataOf: user)
      guard let entry = try await storage.accountData.data(of: user).rooms[room]?[type] else {
        throw MatrixError.notFound("Room account data not found")
      }
      return .encoded(entry.content)
    }
  }

  // MARK: Tags

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridroomsroomidtags
  private var listTags: Endpoint {
    Endpoint(
      name: "list_tags", method: .get,
      paths: PathPattern.client("user/{userID}/rooms/{roomID}/tags", versions: .released), role: .anyWorkerGETOnly
    ) { [storage] request in
      let user = try Self.owner(request, "Cannot get tags for other users.")
      let room = RoomID(unchecked: try request.parameter("roomID"))
      try await storage.barrier.pass(accountDataOf: user)
      let tags = try await storage.accountData.data(of: user).tags[room]?.tags ?? [:]
      return .json { writer in
        writer.beginObject()
        writer.key("tags")
        writer.beginObject()
        for (tag, content) in tags {
          writer.key(tag)
          writer.raw(content)
        }
        writer.endObject()
        writer.endObject()
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag
  private var putTag: Endpoint {
    Endpoint(
      name: "put_tag", method: .put,
      paths: PathPattern.client("user/{userID}/rooms/{roomID}/tags/{tag}", versions: .released),
      role: .streamWriter(.accountData)
    ) { [services, storage] request in
      let user = try Self.owner(request, "Cannot add tags for other users.")
      let tag = try request.parameter("tag")
      guard tag.utf8.count <= 255 else {
        throw MatrixError.invalidParam("tag parameter's length is over 255 bytes")
      }
      let room = RoomID(unchecked: try request.parameter("roomID"))
      try await storage.barrier.pass(membershipsOf: user)
      guard let membership = try await memberships.room(room, for: user), !membership.isForgotten else {
        throw MatrixError.forbidden("User \(user) has no membership in room \(room)")
      }
      try await services.accountData.setTag(user, room: room, tag: tag, content: try request.jsonObject())
      return .emptyObject
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag
  private var deleteTag: Endpoint {
    Endpoint(
      name: "delete_tag", method: .delete,
      paths: PathPattern.client("user/{userID}/rooms/{roomID}/tags/{tag}", versions: .released),
      role: .streamWriter(.accountData)
    ) { [services] request in
      let user = try Self.owner(request, "Cannot add tags for other users.")
      let room = RoomID(unchecked: try request.parameter("roomID"))
      try await services.accountData.removeTag(user, room: room, tag: try request.parameter("tag"))
      return .emptyObject
    }
  }

  // MARK: Checks

  private static func owner(_ request: Request, _ message: Text) throws -> UserID {
    let user = try request.requester.userID
    guard try request.parameter("userID") == user.rawValue else { throw MatrixError.forbidden(message) }
    return user
  }

  private static func room(_ request: Request) throws -> RoomID {
    let text = try request.parameter("roomID")
    guard let room = RoomID(text) else { throw MatrixError.invalidParam("\(text) is not a valid room ID") }
    return room
  }

  private static func settableType(_ request: Request) throws -> Text {
    let type = try request.parameter("type")
    switch type {
    case "m.fully_read":
      throw MatrixError(
        .badJSON, "Cannot set m.fully_read through this API. Use /rooms/!roomId:server.name/read_markers", status: 405)
    case "m.push_rules":
      throw MatrixError(.badJSON, "Cannot set m.push_rules through this API. Use /pushrules", status: 405)
    default: return type
    }
  }
}
