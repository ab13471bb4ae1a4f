import EndpointKit
import MatrixPrimitives
import RoomServices
import ServerConfig

/// Serves `/createRoom`.
public struct RoomCreationEndpoints: Sendable {
  private let rooms: RoomServices
  private let config: HomeserverConfig

  /// Makes the family.
  public init(rooms: RoomServices, config: HomeserverConfig) {
    self.rooms = rooms
    self.config = config
  }

  /// Lists the endpoints.
  public var endpoints: [Endpoint] {
    [
      Endpoint(
        name: "RoomCreate", method: .post, paths: PathPattern.client("createRoom", versions: .sinceV1)
      ) { request in
        let body = try RoomCreationRequest(
          try request.jsonObject(), defaultVersion: config.rooms.defaultRoomVersion)
        let roomID = try await rooms.creation.create(body, requester: try request.requester)
        return .json { writer in
          writer.object {
            $0.member("room_id", roomID.rawValue)
          }
        }
      }
    ]
  }
}
