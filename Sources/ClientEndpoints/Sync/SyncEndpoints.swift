import EndpointKit
import MatrixPrimitives
import RateLimits
import SyncEngine

/// `GET /sync`.
package struct SyncEndpoints: Sendable {
  private let services: SyncServices
  private let presenceLimit: RateLimiter

  /// Makes the family.
  ///
  /// - Parameter presenceLimit: `rc_presence.per_user`, shared by all endpoints that set presence.
  package init(services: SyncServices, presenceLimit: RateLimiter) {
    self.services = services
    self.presenceLimit = presenceLimit
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "sync",
      [
        .poll(
          "sync", .client("sync", .released), as: UserOrGuest.self, balance: .user,
          shortcut: Endpoint.Shortcut(covers: Self.isGlance, answer: glance), to: sync)
      ])
  }

  /// Returns whether a request asks for what has come and waits for nothing.
  private static func isGlance(_ request: Request) throws -> Bool {
    try request.queryValue("from") == nil && request.queryValue("since") != nil
      && request.queryInteger("timeout", default: 0) == 0
  }

  /// Answers at once when there is no news.
  private func glance(_ request: Request) async throws -> Response? {
    let parsed = try await parse(try UserOrGuest(request), request)
    guard let body = try await services.sync.answerWithoutNews(parsed) else { return nil }
    if try await begin(parsed, request) { await end(parsed) }
    return .encoded(body)
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3sync
  private func sync(_ caller: UserOrGuest, _ request: Request, _ response: DeferredResponse) async throws {
    guard request.queryValue("from") == nil else {
      throw MatrixError.unknown("'from' is not a valid query parameter. Did you mean 'since'?", status: 400)
    }
    let parsed = try await parse(caller, request)
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
    try request.queryChoice(
      "set_presence", ["offline": "offline", "online": "online", "unavailable": "unavailable"]) ?? "online"
  }

  private func parse(_ caller: UserOrGuest, _ request: Request) async throws -> SyncRequest {
    let requester = caller.requester
    let timeout = try request.queryInteger("timeout", default: 0)
    let fullState = try request.queryBool("full_state", default: false)
    let stateForm = try stateForm(request)
    let filterText = request.queryValue("filter")
    let filter = try await services.filters.filter(filterText, of: requester.userID)
    // An empty token is none, as on Synapse.
    let sinceText = request.queryValue("since").flatMap { $0.isEmpty ? nil : $0 }
    let since = try await services.token(sinceText)
    return SyncRequest(
      requester: requester, since: since, sinceText: sinceText, filter: filter, filterText: filterText,
      timeoutMilliseconds: Int64(min(timeout, 24 * 3600 * 1000)), wantsFullState: fullState,
      stateForm: stateForm)
  }

  /// Reads at which point the client wants the state of rooms; the name that the proposal had counts where the configuration says so.
  private func stateForm(_ request: Request) throws -> SyncStateForm {
    if try request.queryBool("use_state_after", default: false) { return .after }
    guard services.settings.acceptsUnstableStateAfter else { return .before }
    return try request.queryBool("org.matrix.msc4222.use_state_after", default: false) ? .unstableAfter : .before
  }
}
