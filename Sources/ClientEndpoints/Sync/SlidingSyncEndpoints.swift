import EndpointKit
import MatrixPrimitives
import RateLimits
import ServerConfig
import SyncEngine

/// Simplified sliding sync (MSC4186).
package struct SlidingSyncEndpoints: Sendable {
  private let services: SyncServices
  private let presenceLimit: RateLimiter
  private let isOffered: Bool

  /// Makes the family.
  ///
  /// - Parameter presenceLimit: `rc_presence.per_user`, shared by all endpoints that set presence.
  package init(services: SyncServices, presenceLimit: RateLimiter, config: HomeserverConfig) {
    self.services = services
    self.presenceLimit = presenceLimit
    isOffered = Self.isOffered(config)
  }

  /// Returns whether clients may use sliding sync (`experimental_features.msc3575_enabled`).
  static func isOffered(_ config: HomeserverConfig) -> Bool {
    config.experimental.isEnabled("msc3575_enabled", standard: true)
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "sliding sync",
      [
        .poll(
          "slidingSync", by: .post, "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", as: UserOrGuest.self,
          balance: .user, body: .collected(limit: 1 << 20), to: sync)
      ])
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md
  private func sync(_ caller: UserOrGuest, _ request: Request, _ response: DeferredResponse) async throws {
    guard isOffered else { throw MatrixError.unrecognized() }
    let parsed = try await parse(caller, request)
    let user = parsed.requester.userID
    let isNoted = await services.presence.beginSync(
      user, device: parsed.requester.deviceID, state: try presence(request, of: user))
    let cancel = services.sliding.begin(parsed) { outcome in
      let outcome = outcome.map(Self.response)
      guard isNoted else { return response.resolve(outcome) }
      Task {
        await services.presence.endSync(user, device: parsed.requester.deviceID)
        response.resolve(outcome)
      }
    }
    response.onCancel(cancel)
  }

  private static func response(_ answer: SlidingSyncAnswer) -> Response {
    switch answer {
    case .whole(let body): .encoded(body)
    case .pieces(let produce):
      .stream { writer in
        try await produce { piece in try await writer.write(piece) }
      }
    }
  }

  /// Returns the presence that the client wants while it polls; none when it has asked for it too often.
  private func presence(_ request: Request, of user: UserID) throws -> Text {
    let wanted: Text? = try request.queryChoice(
      "set_presence", ["offline": "offline", "online": "online", "unavailable": "unavailable"])
    let isLimited = (try? presenceLimit.check(user.rawValue)) == nil
    return isLimited ? "offline" : wanted ?? "online"
  }

  private func parse(_ caller: UserOrGuest, _ request: Request) async throws -> SlidingSyncRequest {
    let timeout = try request.queryInteger("timeout", default: 0)
    let from = try await services.sliding.token(request.queryValue("pos"))
    return SlidingSyncRequest(
      requester: caller.requester, from: from, timeoutMilliseconds: Int64(min(timeout, 24 * 3600 * 1000)),
      body: try SlidingSyncBody(try request.jsonObject()))
  }
}
