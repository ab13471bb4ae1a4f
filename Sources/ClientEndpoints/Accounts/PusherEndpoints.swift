import AccountServices
import EndpointKit
import MatrixPrimitives

/// A user's pushers.
package struct PusherEndpoints: Sendable {
  private let pushers: PusherService

  /// Makes the family.
  package init(pushers: PusherService) { self.pushers = pushers }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "pushers",
      [
        .get("getPushers", .client("pushers", .sinceV1), as: User.self, to: list),
        .post(
          "postPusher", .client("pushers/set", .sinceV1), as: User.self, on: .writer(of: .pushers), limited: true,
          to: set),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3pushers
  private func list(_ user: User, _ request: Request) async throws -> Response {
    let pushers = try await pushers.list(of: user.userID)
    return .json { writer in
      writer.object { $0.array("pushers") { list in for pusher in pushers { pusher.write(to: &list) } } }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3pushersset
  private func set(_ user: User, _ request: Request) async throws -> Response {
    try await pushers.set(try request.jsonObject(), by: user.requester)
    return .emptyObject
  }
}
