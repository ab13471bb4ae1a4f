import EndpointKit
import MatrixPrimitives
import Stores
import SyncEngine

/// Filters that clients upload.
public struct FilterEndpoints: Sendable {
  private let storage: UserStores
  private let timelineLimit: Int

  /// Makes the family.
  ///
  /// - Parameter timelineLimit: `filter_timeline_limit`; negative for no limit.
  public init(storage: UserStores, timelineLimit: Int) {
    self.storage = storage
    self.timelineLimit = timelineLimit
  }

  /// The operations of the family.
  public var family: EndpointFamily {
    EndpointFamily(
      "filters",
      [
        .post("defineFilter", .client("user/{userID}/filter", .released), as: User.self, to: define),
        .get("getFilter", .client("user/{userID}/filter/{filterID}", .released), as: User.self, to: get),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3useruseridfilter
  private func define(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot create filters for other users")
    let filter = try request.jsonObject()
    try SyncFilter.validate(filter)
    let id = try await storage.filters.add(limited(filter), for: user)
    return .json(["filter_id": .string(Text(id))])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridfilterfilterid
  private func get(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot get filters for other users")
    guard let id = Int64(try request.parameter("filterID")) else {
      throw MatrixError.unknown("Invalid filter_id", status: 400)
    }
    guard let filter = try await storage.filters.filter(id, of: user) else {
      throw MatrixError.notFound("No such filter")
    }
    return .json { $0.value(filter) }
  }

  /// Cuts the timeline's limit to what the server allows, so that the client can read what will apply.
  private func limited(_ filter: JSONValue) throws -> JSONValue {
    guard timelineLimit >= 0, let limit = filter["room"]?["timeline"]?["limit"]?.double, limit > Double(timelineLimit),
      var top = filter.json.members, var room = top["room"]?.members, var timeline = room["timeline"]?.members
    else { return filter }
    timeline["limit"] = .integer(Int64(timelineLimit))
    room["timeline"] = .object(timeline)
    top["room"] = .object(room)
    return try JSON.object(top).document()
  }
}
