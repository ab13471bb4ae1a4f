import EndpointKit
import MatrixPrimitives
import SyncEngine

/// Filters that clients upload.
package struct FilterEndpoints: Sendable {
  private let filters: FilterService

  /// Makes the family.
  package init(filters: FilterService) { self.filters = filters }

  /// The operations of the family.
  package var family: EndpointFamily {
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
    let id = try await filters.upload(try request.jsonObject(), for: user)
    return .json(["filter_id": .string(Text(id))])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridfilterfilterid
  private func get(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot get filters for other users")
    guard let id = Int64(try request.parameter("filterID")) else {
      throw MatrixError.unknown("Invalid filter_id", status: 400)
    }
    let filter = try await filters.uploaded(id, of: user)
    return .json { $0.value(filter) }
  }
}
