import EndpointKit
import MatrixEvents
import MatrixPrimitives
import RoomServices

/// A room's state, members and aliases.
package struct RoomStateEndpoints: Sendable {
  private let rooms: RoomServices
  private let clock: ServerClock

  /// Makes the family.
  package init(rooms: RoomServices, clock: ServerClock) {
    self.rooms = rooms
    self.clock = clock
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "room state",
      [
        .get("getRoomState", .client("rooms/{roomID}/state", .sinceV1), as: UserOrGuest.self, to: state),
        .get("getRoomStateWithKey", Self.event, as: UserOrGuest.self, to: stateEvent),
        .get("getMembersByRoom", .client("rooms/{roomID}/members", .sinceV1), as: UserOrGuest.self, to: members),
        .get(
          "getJoinedMembersByRoom", .client("rooms/{roomID}/joined_members", .sinceV1), as: User.self,
          to: joinedMembers),
        .get(
          "getLocalAliases",
          .client("rooms/{roomID}/aliases", [.r0, .v3, "unstable/org.matrix.msc2432"]), as: User.self, limited: true,
          to: aliases),
      ])
  }

  /// A state event, whose key may be left out when it is empty.
  static let event =
    EndpointPaths.client("rooms/{roomID}/state/{eventType}/{stateKey}", .sinceV1)
    + .client("rooms/{roomID}/state/{eventType}", .sinceV1)

  private func options(_ format: ClientEventFormat, _ caller: UserOrGuest) -> ClientEventOptions {
    ClientEventOptions(format, requester: caller.requester, now: clock.nowMilliseconds)
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidstate
  private func state(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let events = try await rooms.history.state(
      room: try request.roomID, at: nil, filter: .all, requester: caller.requester)
    let options = options(.legacy, caller)
    return .json { rooms.serializer.write(events.map { ClientEvent($0) }, options, to: &$0) }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey
  private func stateEvent(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let format = request.queryValue("format") ?? "content"
    guard format == "content" || format == "event" else {
      throw MatrixError.invalidParam("Query parameter format must be one of ['content', 'event']")
    }
    let key = StateKey(try request.parameter("eventType"), request.optionalParameter("stateKey") ?? "")
    let event = try await rooms.history.stateEvent(
      room: try request.roomID, key: key, requester: caller.requester)
    if format == "content" { return .encoded(Array(event.content.raw)) }
    let options = options(.full, caller)
    return .json { rooms.serializer.write(ClientEvent(event), options, to: &$0) }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidmembers
  private func members(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let at = try await rooms.history.token(request.queryValue("at"))
    let wanted = request.queryValue("membership")
    let unwanted = request.queryValue("not_membership")
    var events = try await rooms.history.members(room: try request.roomID, at: at, requester: caller.requester)
    if wanted != nil || unwanted != nil {
      events = events.filter { event in
        let membership = event.event.membership
        return (wanted == nil || membership == wanted) && (unwanted == nil || membership != unwanted)
      }
    }
    let options = options(.legacy, caller)
    return .json { writer in
      writer.object {
        $0.array("chunk") { for event in events { rooms.serializer.write(event, options, to: &$0) } }
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidjoined_members
  private func joinedMembers(_ user: User, _ request: Request) async throws -> Response {
    let members = try await rooms.history.joinedMembers(room: try request.roomID, requester: user.requester)
    return .json { writer in
      writer.object {
        $0.object("joined") { joined in
          for member in members {
            joined.object(member.userID.rawValue) {
              $0.member("avatar_url", member.avatarURL.map { .string($0) } ?? JSON.null)
              $0.member("display_name", member.displayName.map { .string($0) } ?? JSON.null)
            }
          }
        }
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidaliases
  private func aliases(_ user: User, _ request: Request) async throws -> Response {
    let aliases = try await rooms.directory.aliases(of: try request.roomID, requester: user.requester)
    return .json { $0.object { $0.member("aliases", strings: aliases) } }
  }
}
