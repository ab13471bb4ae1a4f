import EndpointKit
import MatrixPrimitives
import RoomServices

/// The search in messages.
package struct SearchEndpoints: Sendable {
  private let rooms: RoomServices
  private let clock: ServerClock

  /// Makes the family.
  package init(rooms: RoomServices, clock: ServerClock) {
    self.rooms = rooms
    self.clock = clock
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily("search", [.post("search", .client("search", .sinceV1), as: User.self, limited: true, to: search)])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3search
  private func search(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    try rooms.search.requireEnabled()
    let answer = try await rooms.search.search(
      try SearchRequest(body, batch: request.queryValue("next_batch")), requester: user.requester)
    let options = ClientEventOptions(.legacy, requester: user.requester, now: clock.nowMilliseconds)
    return .json { writer in
      writer.object {
        $0.object("search_categories") { $0.object("room_events") { write(answer, options, to: &$0) } }
      }
    }
  }

  private func write(_ answer: SearchAnswer, _ options: ClientEventOptions, to writer: inout JSONWriter) {
    writer.array("results") { list in
      for result in answer.results { list.object { write(result, options, to: &$0) } }
    }
    writer.member("count", answer.count)
    writer.member("highlights", strings: answer.highlights)
    if let state = answer.state, !state.isEmpty {
      writer.object("state") { object in
        for (room, events) in state {
          object.key(room.rawValue)
          rooms.serializer.write(events, options, to: &object)
        }
      }
    }
    if answer.rooms != nil || answer.senders != nil {
      writer.object("groups") {
        if let groups = answer.rooms { Self.write(groups, "room_id", to: &$0) }
        if let groups = answer.senders { Self.write(groups, "sender", to: &$0) }
      }
    }
    writer.memberIfPresent("next_batch", answer.next)
  }

  private func write(_ result: SearchAnswer.Result, _ options: ClientEventOptions, to writer: inout JSONWriter) {
    writer.member("rank", result.rank)
    writer.key("result")
    rooms.serializer.write(result.event, options, to: &writer)
    writer.object("context") { object in
      guard let context = result.context else { return }
      object.key("events_before")
      rooms.serializer.write(context.before, options, to: &object)
      object.key("events_after")
      rooms.serializer.write(context.after, options, to: &object)
      object.member("start", context.start)
      object.member("end", context.end)
      guard let profiles = context.profiles else { return }
      object.object("profile_info") { info in
        for (user, profile) in profiles {
          info.object(user.rawValue) {
            $0.member("displayname", profile.displayName.map { .string($0) } ?? JSON.null)
            $0.member("avatar_url", profile.avatarURL.map { .string($0) } ?? JSON.null)
          }
        }
      }
    }
  }

  private static func write(_ groups: [SearchAnswer.Group], _ name: Text, to writer: inout JSONWriter) {
    writer.object(name) { object in
      for group in groups {
        object.object(group.key) {
          $0.member("results", strings: group.results.map(\.rawValue))
          $0.memberIfPresent("order", group.order)
          $0.memberIfPresent("next_batch", group.next)
        }
      }
    }
  }
}
