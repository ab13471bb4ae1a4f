import EndpointKit
import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// Serves a room's state, members and aliases.
public struct RoomStateEndpoints: Sendable {
  private let rooms: RoomServices
  private let clock: ServerClock

  /// Makes the family.
  public init(rooms: RoomServices, clock: ServerClock) {
    self.rooms = rooms
    self.clock = clock
  }

  /// Lists the endpoints.
  public var endpoints: [Endpoint] { [state, stateEvent, members, joinedMembers, aliases] }

  private var state: Endpoint {
    Endpoint(
      name: "RoomState", method: .get, paths: PathPattern.client("rooms/{roomID}/state", versions: .sinceV1),
      auth: .guestAllowed
    ) { request in
      let requester = try request.requester
      let events = try await rooms.history.state(
        room: try request.roomID(), at: nil, filter: .all, requester: requester)
      let options = ClientEventOptions(.legacy, requester: requester, now: clock.nowMilliseconds)
      return .json { rooms.serializer.write(events.map { ClientEvent($0) }, options, to: &$0) }
    }
  }

  private var stateEvent: Endpoint {
    Endpoint(
      name: "RoomStateEvent", method: .get,
      paths: PathPattern.client("rooms/{roomID}/state/{eventType}/{stateKey}", versions: .sinceV1)
        + PathPattern.client("rooms/{roomID}/state/{eventType}", versions: .sinceV1),
      auth: .guestAllowed
    ) { request in
      let requester = try request.requester
      let format = request.queryValue("format") ?? "content"
      guard format == "content" || format == "event" else {
        throw MatrixError.invalidParam("Query parameter format must be one of ['content', 'event']")
      }
      let key = StateKey(try request.parameter("eventType"), request.optionalParameter("stateKey") ?? "")
      let event = try await rooms.history.stateEvent(room: try request.roomID(), key: key, requester: requester)
      if format == "content" { return .encoded(Array(event.content.raw)) }
      let options = ClientEventOptions(.full, requester: requester, now: clock.nowMilliseconds)
      return .json { rooms.serializer.write(ClientEvent(event), options, to: &$0) }
    }
  }

  private var members: Endpoint {
    Endpoint(
      name: "RoomMemberList", method: .get, paths: PathPattern.client("rooms/{roomID}/members", versions: .sinceV1),
      auth: .guestAllowed
    ) { request in
      let requester = try request.requester
      var token: StreamToken?
      if let text = request.queryValue("at") { token = try await rooms.history.token(text) }
      let wanted = request.queryValue("membership")
      let unwanted = request.queryValue("not_membership")
      var events = try await rooms.history.members(room: try request.roomID(), at: token, requester: requester)
      if wanted != nil || unwanted != nil {
        events = events.filter { event in
          let membership = event.event.membership
          return (wanted == nil || membership == wanted) && (unwanted == nil || membership != unwanted)
        }
      }
      let options = ClientEventOptions(.legacy, requester: requester, now: clock.nowMilliseconds)
      return .json { writer in
        writer.object {
          $0.key("chunk")
          $0.beginArray()
          for event in events { rooms.serializer.write(event, options, to: &$0) }
          $0.endArray()
        }
      }
    }
  }

  private var joinedMembers: Endpoint {
    Endpoint(
      name: "JoinedRoomMemberList", method: .get,
      paths: PathPattern.client("rooms/{roomID}/joined_members", versions: .sinceV1)
    ) { request in
      let members = try await rooms.history.joinedMembers(
        room: try request.roomID(), requester: try request.requester)
      return .json { writer in
        writer.object {
          $0.key("joined")
          $0.object { joined in
            for member in members {
              joined.key(member.userID.rawValue)
              joined.object {
                $0.member("avatar_url", member.avatarURL.map { .string($0) } ?? JSON.null)
                $0.member("display_name", member.displayName.map { .string($0) } ?? JSON.null)
              }
            }
          }
        }
      }
    }
  }

  private var aliases: Endpoint {
    Endpoint(
      name: "RoomAliasList", method: .get,
      paths: PathPattern.client("rooms/{roomID}/aliases") + [
        PathPattern("/_matrix/client/unstable/org.matrix.msc2432/rooms/{roomID}/aliases")
      ], rateLimited: true
    ) { request in
      let aliases = try await rooms.directory.aliases(of: try request.roomID(), requester: try request.requester)
      return .json { $0.object { $0.member("aliases", strings: aliases) } }
    }
  }
}
