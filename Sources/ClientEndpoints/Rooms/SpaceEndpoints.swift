import EndpointKit
import MatrixPrimitives
import RoomServices

/// What is told of rooms before one joins them.
package struct SpaceEndpoints: Sendable {
  private let rooms: RoomServices

  /// Makes the family.
  package init(rooms: RoomServices) { self.rooms = rooms }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "spaces",
      [
        .get(
          "getSpaceHierarchy", .client("rooms/{roomID}/hierarchy", [.v1]), as: UserOrGuest.self, limited: true,
          to: hierarchy),
        .get("getRoomSummary", Self.summary, as: AnyoneKnown.self, limited: true, to: summary),
      ])
  }

  /// The path of the specification, and the two of MSC3266 that came before it.
  private static let summary =
    EndpointPaths.client("room_summary/{room}", [.v1])
    + .client("summary/{room}", ["unstable/im.nheko.summary"])
    + .client("rooms/{room}/summary", ["unstable/im.nheko.summary"])

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv1roomsroomidhierarchy
  private func hierarchy(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let query = SpaceService.HierarchyQuery(
      roomID: try request.roomID, suggestedOnly: try request.queryBool("suggested_only", default: false),
      maximumDepth: try request.queryInteger("max_depth"), limit: try request.queryInteger("limit"),
      from: request.queryValue("from"))
    let page = try await rooms.spaces.hierarchy(query, requester: caller.requester)
    return .json { writer in
      writer.object { object in
        object.array("rooms") { list in
          for (room, children) in page.rooms {
            list.object { entry in
              Self.write(room, to: &entry)
              entry.array("children_state") { state in
                for child in children {
                  state.object {
                    $0.member("type", child.type)
                    $0.memberIfPresent("state_key", child.stateKey)
                    $0.member("content", child.content)
                    $0.member("sender", child.sender)
                    $0.member("origin_server_ts", child.event.originServerTS)
                  }
                }
              }
            }
          }
        }
        object.memberIfPresent("next_batch", page.next)
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv1room_summaryroomidoralias
  private func summary(_ caller: AnyoneKnown, _ request: Request) async throws -> Response {
    let name = try request.parameter("room")
    let (room, membership) = try await rooms.spaces.overview(
      of: try await rooms.directory.room(name), for: caller.requester?.userID,
      mayAskOthers: name.hasPrefix("#") || !request.queryValues("via").isEmpty)
    return .json { writer in
      writer.object {
        Self.write(room, to: &$0)
        $0.memberIfPresent("membership", membership)
      }
    }
  }

  private static func write(_ room: RoomOverview, to writer: inout JSONWriter) {
    writer.member("room_id", room.roomID)
    writer.member("room_version", room.version.identifier)
    writer.memberIfPresent("name", room.name)
    writer.memberIfPresent("topic", room.topic)
    writer.memberIfPresent("canonical_alias", room.canonicalAlias)
    writer.member("num_joined_members", room.joinedMembers)
    writer.memberIfPresent("avatar_url", room.avatarURL)
    writer.member("world_readable", room.isWorldReadable)
    writer.member("guest_can_join", room.guestsCanJoin)
    writer.memberIfPresent("room_type", room.roomType)
    writer.memberIfPresent("encryption", room.encryption)
    writer.memberIfPresent("join_rule", room.joinRule)
    if let allowed = room.allowedRooms { writer.member("allowed_room_ids", strings: allowed) }
  }
}
