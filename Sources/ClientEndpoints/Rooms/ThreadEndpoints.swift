import EndpointKit
import MatrixPrimitives
import RoomServices
import SyncEngine

/// Threads of rooms, and which of them users follow.
package struct ThreadEndpoints: Sendable {
  private let rooms: RoomServices
  private let subscriptions: ThreadSubscriptionService
  private let clock: ServerClock

  /// Makes the family.
  package init(rooms: RoomServices, subscriptions: ThreadSubscriptionService, clock: ServerClock) {
    self.rooms = rooms
    self.subscriptions = subscriptions
    self.clock = clock
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    let ofThread = EndpointPaths.client(
      "io.element.msc4306/rooms/{roomID}/thread/{eventID}/subscription", [.unstable])
    let roots = Endpoint.get("getThreadRoots", .client("rooms/{roomID}/threads", [.v1]), as: User.self, to: threads)
    guard subscriptions.isEnabled else { return EndpointFamily("threads", [roots]) }
    return EndpointFamily(
      "threads",
      [
        roots,
        .get("getThreadSubscription", ofThread, as: User.self, to: subscription),
        .put(
          "setThreadSubscription", ofThread, as: User.self, on: .writer(of: .threadSubscriptions), to: subscribe),
        .delete(
          "deleteThreadSubscription", ofThread, as: User.self, on: .writer(of: .threadSubscriptions),
          to: unsubscribe),
        .get(
          "getThreadSubscriptions", .client("io.element.msc4308/thread_subscriptions", [.unstable]), as: User.self,
          to: changes),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv1roomsroomidthreads
  private func threads(_ user: User, _ request: Request) async throws -> Response {
    let page = try await rooms.history.threads(
      room: try request.roomID, before: try Self.place(request),
      limit: try request.queryInteger("limit", default: 5),
      onlyParticipated: try request.queryChoice("include", ["all": false, "participated": true]) ?? false,
      requester: user.requester)
    // Without transaction ids, as on Synapse.
    let options = ClientEventOptions(.legacy, requester: nil, now: clock.nowMilliseconds)
    return .json { writer in
      writer.object {
        $0.key("chunk")
        rooms.serializer.write(page.chunk, options, to: &$0)
        $0.memberIfPresent("next_batch", page.next.map { "\($0.topological)_\($0.stream)" as Text })
      }
    }
  }

  /// Reads where a page of threads begins: depth and stream ordering of a thread's newest event, as Synapse writes it.
  private static func place(_ request: Request) throws(MatrixError) -> HistoryService.ThreadPlace? {
    guard let text = request.queryValue("from"), !text.isEmpty else { return nil }
    let parts = text.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
    guard parts.count == 2, let topological = Int64(parts[0]), let stream = Int64(parts[1]) else {
      throw .unknown("Invalid threads token", status: 400)
    }
    return HistoryService.ThreadPlace(topological: topological, stream: stream)
  }

  // MARK: Subscriptions

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/4306
  private func subscription(_ user: User, _ request: Request) async throws -> Response {
    let isAutomatic = try await subscriptions.isAutomatic(
      user.requester, room: try request.roomID, root: try Self.root(request))
    return .json(["automatic": .bool(isAutomatic)])
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/4306
  private func subscribe(_ user: User, _ request: Request) async throws -> Response {
    let (room, root) = (try request.roomID, try Self.root(request))
    var cause: EventID?
    if let text = try request.jsonObject().optionalString("automatic") {
      guard let id = EventID(text) else { throw MatrixError.badJSON("'automatic' must be an event ID") }
      cause = id
    }
    try await subscriptions.subscribe(user.requester, room: room, root: root, cause: cause)
    return .emptyObject
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/4306
  private func unsubscribe(_ user: User, _ request: Request) async throws -> Response {
    try await subscriptions.unsubscribe(
      user.requester, room: try request.roomID, root: try Self.root(request))
    return .emptyObject
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/4308
  private func changes(_ user: User, _ request: Request) async throws -> Response {
    let limit = try request.queryInteger("limit", default: 100)
    _ = try request.requireQueryValue("dir")
    _ = try request.queryChoice("dir", ["b": true])
    let page = try await subscriptions.changes(
      of: user.userID, after: try await position(request, "to") ?? 0, upTo: try await position(request, "from"),
      limit: limit)
    return .json { writer in
      writer.object { object in
        let byRoom = Dictionary(grouping: page.changes, by: \.roomID)
        Self.write("subscribed", byRoom, { $0.isAutomatic != nil }, to: &object)
        Self.write("unsubscribed", byRoom, { $0.isAutomatic == nil }, to: &object)
        object.memberIfPresent("end", page.end.map { "ts\($0)" as Text })
      }
    }
  }

  private static func write(
    _ name: Text, _ byRoom: [RoomID: [ThreadSubscriptionService.Change]],
    _ isWanted: (ThreadSubscriptionService.Change) -> Bool, to writer: inout JSONWriter
  ) {
    let wanted = byRoom.mapValues { $0.filter(isWanted) }.filter { !$0.value.isEmpty }
    guard !wanted.isEmpty else { return }
    writer.object(name) { rooms in
      for (room, changes) in wanted {
        rooms.object(room.rawValue) { threads in
          for change in changes {
            threads.object(change.root.rawValue) {
              $0.memberIfPresent("automatic", change.isAutomatic)
              $0.member("bump_stamp", change.streamID)
            }
          }
        }
      }
    }
  }

  /// Reads a position of the stream: `ts7`; `to` may also be a position of a sliding sync.
  private func position(_ request: Request, _ name: Text) async throws -> Int64? {
    guard let text = request.queryValue(name) else { return nil }
    if let number = text.dropping(prefix: "ts").flatMap({ Int64($0) }) { return number }
    if name == "to", let token = text.cut(at: "/")?.after {
      do { return try await rooms.history.token(token)?.threadSubscriptions } catch is MatrixError {}
    }
    throw MatrixError.invalidParam("`\(name)` is not a valid token")
  }

  private static func root(_ request: Request) throws(MatrixError) -> EventID {
    let text = try request.parameter("eventID")
    guard let root = EventID(text) else { throw .invalidParam("Invalid event ID") }
    return root
  }
}
