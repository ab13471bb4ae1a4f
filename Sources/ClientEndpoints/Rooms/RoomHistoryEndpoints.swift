import EndpointKit
import MatrixEvents
import MatrixPrimitives
import RoomServices

/// A room's events: pages, single events, neighbours, relations.
package struct RoomHistoryEndpoints: Sendable {
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
      "room history",
      [
        .get(
          "getRoomEvents", .client("rooms/{roomID}/messages", .sinceV1), as: UserOrGuest.self, balance: .room,
          to: messages),
        .get("getOneRoomEvent", .client("rooms/{roomID}/event/{eventID}", .sinceV1), as: UserOrGuest.self, to: event),
        .get(
          "getEventContext", .client("rooms/{roomID}/context/{eventID}", .sinceV1), as: UserOrGuest.self, to: context),
        .get("getRelatingEvents", Self.relations, as: UserOrGuest.self, to: relations),
        .get(
          "getEventByTimestamp", .client("rooms/{roomID}/timestamp_to_event", [.v1]), as: User.self, limited: true,
          to: timestampToEvent),
        .get("getOneEvent", .client("events/{eventID}", .sinceV1), as: User.self, on: .main, to: eventAnywhere),
      ])
  }

  private static let relations =
    EndpointPaths.client("rooms/{roomID}/relations/{eventID}", [.v1, .unstable])
    + .client("rooms/{roomID}/relations/{eventID}/{relType}", [.v1, .unstable])
    + .client("rooms/{roomID}/relations/{eventID}/{relType}/{eventType}", [.v1, .unstable])

  private func options(
    _ caller: some AccountHolder, _ filter: EventFilter = EventFilter()
  ) -> ClientEventOptions {
    ClientEventOptions(
      filter.format == .federation ? .federation : .legacy, requester: caller.requester, now: clock.nowMilliseconds)
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidmessages
  private func messages(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let filter = try EventFilter(text: request.queryValue("filter"))
    let page = try await rooms.history.messages(
      room: try request.roomID, from: try await rooms.history.token(Self.place(request, "from")),
      to: try await rooms.history.token(Self.place(request, "to")),
      direction: try request.queryChoice("dir", ["f": .forward, "b": .backward]) ?? .forward,
      limit: try request.queryInteger("limit", default: 10), filter: filter, requester: caller.requester)
    let start = try await rooms.history.text(page.start)
    let end = try await rooms.history.text(page.end)
    let options = options(caller, filter)
    return .json { writer in
      writer.object {
        $0.key("chunk")
        rooms.serializer.write(page.chunk, options, to: &$0)
        $0.member("start", start)
        $0.memberIfPresent("end", end)
        if let state = page.state {
          $0.key("state")
          rooms.serializer.write(state, options, to: &$0)
        }
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomideventeventid
  private func event(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let event = try await rooms.history.event(
      try request.eventID, room: try request.roomID, requester: caller.requester)
    return .json { rooms.serializer.write(event, options(caller), to: &$0) }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3eventseventid (deprecated)
  private func eventAnywhere(_ user: User, _ request: Request) async throws -> Response {
    guard let id = EventID(try request.parameter("eventID")) else { throw MatrixError.notFound("Event not found.") }
    let event = try await rooms.history.event(id, requester: user.requester)
    return .json { rooms.serializer.write(event, options(user), to: &$0) }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidcontexteventid
  private func context(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let around = try await rooms.history.surroundings(
      of: try request.eventID, room: try request.roomID, limit: try request.queryInteger("limit", default: 10),
      filter: try EventFilter(text: request.queryValue("filter")), requester: caller.requester)
    let start = try await rooms.history.text(around.start)
    let end = try await rooms.history.text(around.end)
    let options = options(caller)
    return .json { writer in
      writer.object {
        $0.key("events_before")
        rooms.serializer.write(around.before, options, to: &$0)
        $0.key("event")
        rooms.serializer.write(around.event, options, to: &$0)
        $0.key("events_after")
        rooms.serializer.write(around.after, options, to: &$0)
        $0.key("state")
        rooms.serializer.write(around.state, options, to: &$0)
        $0.member("start", start)
        $0.member("end", end)
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv1roomsroomidrelationseventid
  private func relations(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let isRecursive =
      if try request.queryBool("recurse", default: false) { true } else {
        try request.queryBool("org.matrix.msc3981.recurse", default: false)
      }
    let query = HistoryService.RelationQuery(
      eventID: try request.eventID, relationType: request.optionalParameter("relType"),
      eventType: request.optionalParameter("eventType"),
      isRecursive: isRecursive,
      direction: try request.queryChoice("dir", ["f": .forward, "b": .backward]) ?? .backward,
      limit: try request.queryInteger("limit", default: 5))
    let start = try await rooms.history.token(Self.place(request, "from"))
    let page = try await rooms.history.relations(
      query, room: try request.roomID, from: start, to: try await rooms.history.token(Self.place(request, "to")),
      requester: caller.requester)
    let next = try await rooms.history.text(page.next)
    return .json { writer in
      writer.object {
        $0.key("chunk")
        rooms.serializer.write(page.chunk, options(caller), to: &$0)
        $0.memberIfPresent("next_batch", next)
        $0.memberIfPresent("prev_batch", request.queryValue("from"))
        if query.isRecursive { $0.member("recursion_depth", HistoryService.relationDepth) }
        // What clients of the time before the endpoint's release look for, under the path that it had then.
        if request.path.hasPrefix("/_matrix/client/unstable/") {
          $0.key("original_event")
          rooms.serializer.write(page.original, options(caller), to: &$0)
        }
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event
  private func timestampToEvent(_ user: User, _ request: Request) async throws -> Response {
    guard let timestamp = try request.queryInteger("ts") else {
      throw MatrixError.missingParam("Missing integer query parameter ts")
    }
    let event = try await rooms.history.event(
      room: try request.roomID, nearest: Int64(timestamp),
      direction: try request.queryChoice("dir", ["f": .forward, "b": .backward]) ?? .forward, requester: user.requester)
    return .json { writer in
      writer.object {
        $0.member("event_id", event.eventID.rawValue)
        $0.member("origin_server_ts", event.event.originServerTS)
      }
    }
  }

  // MARK: Query parameters

  /// Returns a place in the history. Old clients name its end in words.
  private static func place(_ request: Request, _ name: Text) -> Text? {
    request.queryValue(name).flatMap { $0 == "END" ? nil : $0 }
  }
}
