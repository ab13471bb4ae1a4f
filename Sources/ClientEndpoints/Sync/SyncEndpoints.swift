import AccountServices
import EndpointKit
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import SyncEngine

/// `GET /sync`, and the old way to fetch one event.
public struct SyncEndpoints: Sendable {
  private let services: SyncServices
  private let storage: RoomStores
  private let rooms: RoomServices
  private let presenceLimit: RateLimiter
  private let filters: FilterReader

  /// Makes the family.
  ///
  /// - Parameter presenceLimit: `rc_presence.per_user`, shared by all endpoints that set presence.
  public init(
    services: SyncServices, storage: RoomStores, users: UserStores, rooms: RoomServices, presenceLimit: RateLimiter
  ) {
    self.services = services
    self.storage = storage
    self.rooms = rooms
    self.presenceLimit = presenceLimit
    filters = FilterReader(storage: users, timelineLimit: services.settings.filterTimelineLimit)
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] { [sync, event] }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3sync
  private var sync: Endpoint {
    Endpoint(
      name: "sync", method: .get, paths: PathPattern.client("sync", versions: .released), auth: .guestAllowed,
      role: .anyWorker, balance: .user,
      shortcut: Endpoint.Shortcut(
        covers: { request in
          try request.queryValue("from") == nil && request.queryValue("since") != nil
            && request.queryInteger("timeout", default: 0) == 0
        },
        answer: { [services] request in
          let parsed = try await parse(request)
          guard let body = try await services.sync.answerWithoutNews(parsed) else { return nil }
          if try await begin(parsed, request) { await end(parsed) }
          return .encoded(body)
        }),
      deferral: { [services] request, response in
        guard request.queryValue("from") == nil else {
          throw MatrixError.unknown("'from' is not a valid query parameter. Did you mean 'since'?", status: 400)
        }
        let parsed = try await parse(request)
        let isNoted = try await begin(parsed, request)
        do {
          let cancel = try await services.sync.begin(parsed) { outcome in
            guard isNoted else { return response.resolve(outcome.map { .encoded($0) }) }
            Task {
              await end(parsed)
              response.resolve(outcome.map { .encoded($0) })
            }
          }
          response.onCancel(cancel)
        } catch {
          if isNoted { await end(parsed) }
          throw error
        }
      })
  }

  /// Keeps the device online while its request is answered, unless the client does not want that or has asked for it too often.
  ///
  /// - Returns: whether ``end(_:)`` has to follow.
  private func begin(_ parsed: SyncRequest, _ request: Request) async throws -> Bool {
    let presence = try Self.presence(request)
    let user = parsed.requester.userID
    let isLimited = (try? presenceLimit.check(user.rawValue)) == nil
    return await services.presence.beginSync(
      user, device: parsed.requester.deviceID, state: isLimited ? "offline" : presence)
  }

  private func end(_ parsed: SyncRequest) async {
    await services.presence.endSync(parsed.requester.userID, device: parsed.requester.deviceID)
  }

  private static func presence(_ request: Request) throws -> Text {
    let presence = request.queryValue("set_presence") ?? "online"
    guard ["online", "offline", "unavailable"].contains(presence) else {
      throw MatrixError.invalidParam(
        "Query parameter 'set_presence' must be one of ['offline', 'online', 'unavailable']")
    }
    return presence
  }

  private func parse(_ request: Request) async throws -> SyncRequest {
    let requester = try request.requester
    let timeout = try request.queryInteger("timeout", default: 0)
    let fullState = try request.queryBool("full_state", default: false)
    let filterText = request.queryValue("filter")
    let filter = try await filters.filter(filterText, of: requester.userID)
    // An empty token is none, as on Synapse.
    let sinceText = request.queryValue("since").flatMap { $0.isEmpty ? nil : $0 }
    let since: StreamToken?
    if let sinceText { since = try await token(sinceText) } else { since = nil }
    return SyncRequest(
      requester: requester, since: since, sinceText: sinceText, filter: filter, filterText: filterText,
      timeoutMilliseconds: Int64(min(timeout, 24 * 3600 * 1000)), wantsFullState: fullState)
  }

  private func token(_ text: Text) async throws -> StreamToken {
    guard let token = try await StreamToken.parse(text, directory: storage.context.instances),
      token.room.topological == nil
    else { throw MatrixError.unknown("Invalid stream token", status: 400) }
    return token
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3eventseventid (deprecated)
  private var event: Endpoint {
    Endpoint(
      name: "event_by_id", method: .get, paths: PathPattern.client("events/{eventID}", versions: .sinceV1),
      auth: .required, role: .main
    ) { [rooms, storage] request in
      let requester = try request.requester
      let id = EventID(unchecked: try request.parameter("eventID"))
      guard let stored = try await storage.events.event(id) else { throw MatrixError.notFound("Event not found.") }
      let event = try await rooms.history.event(id, room: stored.roomID, requester: requester)
      let options = ClientEventOptions(.legacy, requester: requester, now: storage.clock.nowMilliseconds)
      return .json { rooms.serializer.write(event, options, to: &$0) }
    }
  }
}
