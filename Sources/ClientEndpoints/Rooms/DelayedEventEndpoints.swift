import EndpointKit
import MatrixPrimitives
import RoomServices

/// Events that are sent later (MSC4140): what is pending, and what its sender's programs do with it.
package struct DelayedEventEndpoints: Sendable {
  private let rooms: RoomServices

  /// Makes the family.
  package init(rooms: RoomServices) { self.rooms = rooms }

  /// The operations of the family. Whoever knows the name of an event may change it, with an account or without.
  package var family: EndpointFamily {
    EndpointFamily(
      "delayed events",
      [
        .get("getDelayedEvents", Self.path(""), as: User.self, limited: true, to: list),
        .get("getDelayedEvent", Self.path("/{delayID}"), as: User.self, limited: true, to: get),
        .post(
          "updateDelayedEvent", Self.path("/{delayID}"), as: AnyoneKnown.self, on: .main, limited: true, to: update),
        .post(
          "cancelDelayedEvent", Self.path("/{delayID}/cancel"), as: AnyoneKnown.self, on: .main, limited: true,
          to: { try await change($0, $1, .cancel) }),
        .post(
          "restartDelayedEvent", Self.path("/{delayID}/restart"), as: AnyoneKnown.self, limited: true,
          to: { try await change($0, $1, .restart) }),
        .post(
          "sendDelayedEvent", Self.path("/{delayID}/send"), as: AnyoneKnown.self, on: .main, limited: true,
          to: { try await change($0, $1, .send) }),
      ])
  }

  private static func path(_ rest: Text) -> EndpointPaths {
    .client("delayed_events\(rest)", ["unstable/org.matrix.msc4140"])
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/4140
  private func list(_ user: User, _ request: Request) async throws -> Response {
    let entries = try await rooms.delayedEvents.entries(of: user.requester)
    return .json { writer in
      writer.object { object in
        object.array("delayed_events") { list in
          for entry in entries {
            list.object {
              Self.write(entry, to: &$0)
              // The names of earlier drafts, which clients still read.
              $0.member("delay", entry.delay)
              $0.member("running_since", entry.since)
            }
          }
        }
      }
    }
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/4140
  private func get(_ user: User, _ request: Request) async throws -> Response {
    let entry = try await rooms.delayedEvents.entry(try request.parameter("delayID"), of: user.requester)
    return .json { $0.object { Self.write(entry, to: &$0) } }
  }

  private static func write(_ entry: PendingDelayedEvent, to writer: inout JSONWriter) {
    writer.member("delay_id", entry.id)
    writer.member("room_id", entry.draft.roomID)
    writer.member("type", entry.draft.type)
    writer.memberIfPresent("state_key", entry.draft.stateKey)
    writer.member("delay_ms", entry.delay)
    writer.member("delayed_since_ts", entry.since)
    writer.member("content", entry.draft.content)
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/4140 (an earlier draft)
  private func update(_ caller: AnyoneKnown, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    guard let given = body["action"] else { throw MatrixError.missingParam("'action' is missing") }
    guard let action = given.string.flatMap(DelayedEventService.Action.init(rawValue:)) else {
      throw MatrixError.invalidParam("'action' is not one of 'cancel', 'restart', 'send'")
    }
    return try await change(caller, request, action)
  }

  private func change(
    _ caller: AnyoneKnown, _ request: Request, _ action: DelayedEventService.Action
  ) async throws -> Response {
    try await rooms.delayedEvents.change(
      try request.parameter("delayID"), action, requester: caller.requester, address: request.clientIP)
    return .emptyObject
  }
}
