import EndpointKit
import MatrixPrimitives
import SyncEngine

/// Uploading and reading filters.
public struct FilterEndpoints: Sendable {
  private let filters: FilterService

  /// Makes the family.
  public init(filters: FilterService) { self.filters = filters }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] { [create, get] }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3useruseridfilter
  private var create: Endpoint {
    Endpoint(
      name: "create_filter", method: .post, paths: PathPattern.client("user/{userID}/filter", versions: .released),
      role: .anyWorker
    ) { [filters] request in
      let user = try request.userID()
      guard try request.requester.userID == user else {
        throw MatrixError.forbidden("Cannot create filters for other users")
      }
      let id = try await filters.upload(try request.jsonObject(), for: user)
      return .json(["filter_id": .string(Text(id))])
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridfilterfilterid
  private var get: Endpoint {
    Endpoint(
      name: "get_filter", method: .get,
      paths: PathPattern.client("user/{userID}/filter/{filterID}", versions: .released), role: .anyWorker
    ) { [filters] request in
      let user = try request.userID()
      guard try request.requester.userID == user else {
        throw MatrixError.forbidden("Cannot get filters for other users")
      }
      guard let id = Int64(try request.parameter("filterID")) else {
        throw MatrixError.unknown("Invalid filter_id", status: 400)
      }
      let filter = try await filters.uploaded(id, of: user)
      return .json { $0.value(filter) }
    }
  }
}
