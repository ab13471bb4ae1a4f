import EndpointKit
import MatrixPrimitives

/// Networks that application services connect to. There is none as long as there are no application services.
package struct ThirdPartyEndpoints: Sendable {
  /// Makes the family.
  package init() {}

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "third-party networks",
      [
        .get("getProtocols", .client("thirdparty/protocols", .released), as: UserOrGuest.self) { _, _ in .emptyObject },
        .get("getProtocolMetadata", .client("thirdparty/protocol/{protocol}", .released), as: UserOrGuest.self) {
          _, _ in
          throw MatrixError.notFound("Unknown protocol")
        },
        .get(
          "queryLocationByProtocol", .client("thirdparty/location/{protocol}", .released), as: UserOrGuest.self,
          to: none),
        .get("queryLocationByAlias", .client("thirdparty/location", .released), as: UserOrGuest.self, to: none),
        .get("queryUserByProtocol", .client("thirdparty/user/{protocol}", .released), as: UserOrGuest.self, to: none),
        .get("queryUserByID", .client("thirdparty/user", .released), as: UserOrGuest.self, to: none),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#third-party-networks
  private func none(_ caller: UserOrGuest, _ request: Request) -> Response { .json([]) }
}
