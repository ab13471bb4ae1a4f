import EndpointKit
import MatrixPrimitives
import RoomServices

/// Serves `/createRoom`.
public struct RoomCreationEndpoints: Sendable {
  private let rooms: RoomServices

  /// Makes the family.
  public init(rooms: RoomServices) {
    self.rooms = rooms
  }

  /// Lists the endpoints.
  public var endpoints: [Endpoint] {
    [
      Endpoint(
        name: "RoomCreate", method: .post, paths: PathPattern.client("createRoom", versions: .sinceV1)
      ) { request in
        let roomID = try await rooms.creation.create(try request.jsonObject(), requester: try request.requester)
        return .json { writer in
          writer.object {
            $0.member("room_id", roomID.rawValue)
          }
        }
      }
    ]
  }
}
