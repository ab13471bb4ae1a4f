import EndpointKit
import MatrixPrimitives
import RoomServices

/// The replacement of rooms.
package struct RoomUpgradeEndpoints: Sendable {
  private let rooms: RoomServices

  /// Makes the family.
  package init(rooms: RoomServices) { self.rooms = rooms }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "room upgrades",
      [.post("upgradeRoom", .client("rooms/{roomID}/upgrade", .released), as: User.self, on: .main, to: upgrade)])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidupgrade
  private func upgrade(_ user: User, _ request: Request) async throws -> Response {
    let body = try RoomUpgradeRequest(try request.jsonObject())
    let new = try await rooms.upgrades.upgrade(try request.roomID, body, requester: user.requester)
    return .json { $0.object { $0.member("replacement_room", new) } }
  }
}
