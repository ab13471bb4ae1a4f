import EndpointKit
import MatrixPrimitives
import RateLimits
import RoomServices
import SyncEngine

/// What clients asked for before there was `/sync`: snapshots of all rooms or of one, and the stream of events.
package struct SnapshotEndpoints: Sendable {
  private let services: SyncServices
  private let history: HistoryService
  private let presenceLimit: RateLimiter

  /// Makes the family.
  ///
  /// - Parameter presenceLimit: `rc_presence.per_user`, shared by all endpoints that set presence.
  package init(services: SyncServices, history: HistoryService, presenceLimit: RateLimiter) {
    self.services = services
    self.history = history
    self.presenceLimit = presenceLimit
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "snapshots",
      [
        .get("initialSync", .client("initialSync", .sinceV1), as: User.self, balance: .user, to: allRooms),
        .get(
          "roomInitialSync", .client("rooms/{roomID}/initialSync", .sinceV1), as: UserOrGuest.self, balance: .room,
          to: room),
        .poll("getEvents", .client("events", .sinceV1), as: UserOrGuest.self, balance: .user, to: events),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3initialsync (deprecated). The answer is made while it is sent, some
  /// rooms at a time.
  private func allRooms(_ caller: User, _ request: Request) async throws -> Response {
    _ = try await place(request)
    let query = SnapshotService.Query(
      requester: caller.requester, limit: try request.queryInteger("limit", default: 10),
      includesLeft: try request.queryBool("archived", default: false), isRaw: request.queryValue("raw") != nil)
    let overview = try await services.snapshots.overview(query)
    return .stream { [services] writer in
      try await writer.write(Array(#"{"rooms":["#.utf8))
      var isFirst = true
      for group in overview.groups {
        for room in try await services.snapshots.rooms(group, of: overview) {
          try await writer.write((isFirst ? [] : [UInt8(ascii: ",")]) + room)
          isFirst = false
        }
      }
      try await writer.write(Array("],".utf8) + services.snapshots.remainder(overview))
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3roomsroomidinitialsync
  private func room(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    _ = try await place(request)
    let query = SnapshotService.Query(
      requester: caller.requester, limit: try request.queryInteger("limit", default: 10))
    return .encoded(try await services.snapshots.room(try request.roomID, query))
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3events (deprecated), and for a room that is not the user's
  /// https://spec.matrix.org/v1.16/client-server-api/#get_peeking_events
  private func events(_ caller: UserOrGuest, _ request: Request, _ response: DeferredResponse) async throws {
    let room = request.queryValue("room_id")
    guard room != nil || !caller.requester.isGuest else {
      throw MatrixError.unknown("Guest users must specify room_id param", status: 400)
    }
    let query = EventStreamService.Query(
      requester: caller.requester, from: try await place(request),
      room: try room.map { (id) throws(MatrixError) -> RoomID in try Self.room(id) },
      limit: try request.queryInteger("limit", default: 10), timeoutMilliseconds: try Self.timeout(request),
      isRaw: request.queryValue("raw") != nil)
    let (user, device) = (caller.userID, caller.deviceID)
    let isLimited = (try? presenceLimit.check(user.rawValue)) == nil  // A client that asks too often is online anyway.
    let presence = services.presence
    let isNoted = await presence.beginSync(
      user, device: device, state: isLimited || caller.requester.isGuest ? "offline" : "online")
    do {
      let cancel = try await services.eventStream.begin(query) { outcome in
        guard isNoted else { return response.resolve(outcome.map { .encoded($0) }) }
        Task {
          await presence.endSync(user, device: device)
          response.resolve(outcome.map { .encoded($0) })
        }
      }
      response.onCancel(cancel)
    } catch {
      if isNoted { await presence.endSync(user, device: device) }
      throw error
    }
  }

  private static func room(_ text: Text) throws(MatrixError) -> RoomID {
    guard let room = RoomID(text) else { throw .forbidden("Non-joined access not allowed") }
    return room
  }

  private static func timeout(_ request: Request) throws(MatrixError) -> Int64 {
    guard let text = request.queryValue("timeout") else { return 30_000 }
    guard let timeout = Int64(text) else { throw .unknown("timeout must be in milliseconds.", status: 400) }
    return timeout
  }

  /// Reads the token `from`; `to` and `dir` have no effect here but must be of the right form.
  private func place(_ request: Request) async throws -> StreamPlace? {
    _ = try request.queryChoice("dir", ["f": true, "b": false])
    _ = try await token(request, "to")
    return try await token(request, "from")
  }

  private func token(_ request: Request, _ name: Text) async throws -> StreamPlace? {
    guard let text = request.queryValue(name), !text.isEmpty, !(name == "from" && text == "END") else { return nil }
    do { return try await history.token(text) } catch is MatrixError {
      throw MatrixError.unknown("'\(name)' parameter is invalid", status: 400)
    }
  }
}
