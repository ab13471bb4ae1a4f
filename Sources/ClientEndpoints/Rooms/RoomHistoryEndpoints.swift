import EndpointKit
import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// Serves a room's events: pages, single events, neighbours, relations.
public struct RoomHistoryEndpoints: Sendable {
  private let rooms: RoomServices
  private let clock: ServerClock

  /// Makes the family.
  public init(rooms: RoomServices, clock: ServerClock) {
    self.rooms = rooms
    self.clock = clock
  }

  /// Lists the endpoints.
  public var endpoints: [Endpoint] { [messages, event, context, relations, timestampToEvent] }

  private func options(_ requester: Requester, _ filter: RoomEventFilter = RoomEventFilter()) -> ClientEventOptions {
    ClientEventOptions(
      filter.wantsFederationFormat ? .federation : .legacy, requester: requester, now: clock.nowMilliseconds)
  }

  private var messages: Endpoint {
    Endpoint(
      name: "RoomMessageList", method: .get,
      paths: PathPattern.client("rooms/{roomID}/messages", versions: .sinceV1), auth: .guestAllowed, balance: .room
    ) { request in
      let requester = try request.requester
      let filter = try Self.filter(request)
      let page = try await rooms.history.messages(
        room: try request.roomID(), from: try await token(request, "from"), to: try await token(request, "to"),
        direction: try Self.direction(request, standard: .forward),
        limit: try request.queryInteger("limit", default: 10), filter: filter, requester: requester)
      let start = try await rooms.history.text(page.start)
      var end: Text?
      if let token = page.end { end = try await rooms.history.text(token) }
      let options = options(requester, filter)
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
  }

  private var event: Endpoint {
    Endpoint(
      name: "RoomEvent", method: .get,
      paths: PathPattern.client("rooms/{roomID}/event/{eventID}", versions: .sinceV1), auth: .guestAllowed
    ) { request in
      let requester = try request.requester
      let event = try await rooms.history.event(
        try request.eventID(), room: try request.roomID(), requester: requester)
      return .json { rooms.serializer.write(event, options(requester), to: &$0) }
    }
  }

  private var context: Endpoint {
    Endpoint(
      name: "RoomEventContext", method: .get,
      paths: PathPattern.client("rooms/{roomID}/context/{eventID}", versions: .sinceV1), auth: .guestAllowed
    ) { request in
      let requester = try request.requester
      let around = try await rooms.history.surroundings(
        of: try request.eventID(), room: try request.roomID(),
        limit: try request.queryInteger("limit", default: 10), filter: try Self.filter(request), requester: requester)
      let start = try await rooms.history.text(around.start)
      let end = try await rooms.history.text(around.end)
      let options = options(requester)
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
  }

  private var relations: Endpoint {
    let base = "rooms/{roomID}/relations/{eventID}"
    let paths = [base, "\(base)/{relType}", "\(base)/{relType}/{eventType}"]
    return Endpoint(
      name: "RelationPagination", method: .get,
      paths: paths.flatMap { PathPattern.client($0, versions: [.v1, .unstable]) }, auth: .guestAllowed
    ) { request in
      let requester = try request.requester
      let query = HistoryService.RelationQuery(
        eventID: try request.eventID(), relationType: request.optionalParameter("relType"),
        eventType: request.optionalParameter("eventType"),
        isRecursive: try request.queryBool("recurse", default: false),
        direction: try Self.direction(request, standard: .backward),
        limit: try request.queryInteger("limit", default: 5))
      let start = try await token(request, "from")
      let page = try await rooms.history.relations(
        query, room: try request.roomID(), from: start, to: try await token(request, "to"), requester: requester)
      var next: Text?
      if let token = page.next { next = try await rooms.history.text(token) }
      return .json { writer in
        writer.object {
          $0.key("chunk")
          rooms.serializer.write(page.chunk, options(requester), to: &$0)
          $0.memberIfPresent("next_batch", next)
          $0.memberIfPresent("prev_batch", request.queryValue("from"))
          if query.isRecursive { $0.member("recursion_depth", HistoryService.relationDepth) }
        }
      }
    }
  }

  private var timestampToEvent: Endpoint {
    Endpoint(
      name: "TimestampLookup", method: .get,
      paths: PathPattern.client("rooms/{roomID}/timestamp_to_event", versions: [.v1]), rateLimited: true
    ) { request in
      guard let timestamp = try request.queryInteger("ts") else {
        throw MatrixError.missingParam("Missing integer query parameter ts")
      }
      let event = try await rooms.history.event(
        room: try request.roomID(), nearest: Int64(timestamp),
        direction: try Self.direction(request, standard: .forward), requester: try request.requester)
      return .json { writer in
        writer.object {
          $0.member("event_id", event.eventID.rawValue)
          $0.member("origin_server_ts", event.event.originServerTS)
        }
      }
    }
  }

  // MARK: Query parameters

  private func token(_ request: Request, _ name: Text) async throws -> StreamToken? {
    // Old clients name the end of the history in words.
    guard let text = request.queryValue(name), text != "END" else { return nil }
    return try await rooms.history.token(text)
  }

  private static func direction(_ request: Request, standard: PageDirection) throws(MatrixError) -> PageDirection {
    switch request.queryValue("dir") {
    case nil: standard
    case "b": .backward
    case "f": .forward
    default: throw .invalidParam("Query parameter dir must be one of ['f', 'b']")
    }
  }

  private static func filter(_ request: Request) throws(MatrixError) -> RoomEventFilter {
    guard let text = request.queryValue("filter"), !text.isEmpty else { return RoomEventFilter() }
    let value: JSONValue
    do {
      value = try JSONValue.parse(text)
    } catch {
      throw .notJSON("Query parameter filter must be valid JSON.")
    }
    return try RoomEventFilter(value)
  }
}
