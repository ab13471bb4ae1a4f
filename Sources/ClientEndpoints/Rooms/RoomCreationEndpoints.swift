import EndpointKit
import MatrixPrimitives
import RoomServices

/// Creation of rooms.
package struct RoomCreationEndpoints: Sendable {
  private let rooms: RoomServices

  /// Makes the family.
  package init(rooms: RoomServices) { self.rooms = rooms }

  /// The operations of the family. That with a transaction id is Synapse's.
  package var family: EndpointFamily {
    EndpointFamily(
      "room creation",
      [
        .post("createRoom", .client("createRoom", .sinceV1), as: User.self, to: create),
        .put("createRoomOnce", .client("createRoom/{txnID}", .sinceV1), as: User.self, on: .main, to: create),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3createroom
  private func create(_ user: User, _ request: Request) async throws -> Response {
    let roomID = try await rooms.creation.create(
      try request.jsonObject(), transactionID: request.optionalParameter("txnID"), requester: user.requester)
    return .json { $0.object { $0.member("room_id", roomID.rawValue) } }
  }
}
