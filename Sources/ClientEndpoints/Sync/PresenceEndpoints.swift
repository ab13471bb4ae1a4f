import EndpointKit
import MatrixPrimitives
import RateLimits
import SyncEngine

/// Presence, as users set and see it.
package struct PresenceEndpoints: Sendable {
  private let presence: PresenceService
  private let limit: RateLimiter
  private let clock: ServerClock

  /// Makes the family.
  ///
  /// - Parameter limit: `rc_presence.per_user`, shared by all endpoints that set presence.
  package init(presence: PresenceService, limit: RateLimiter, clock: ServerClock) {
    self.presence = presence
    self.limit = limit
    self.clock = clock
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    let path = EndpointPaths.client("presence/{userID}/status", .sinceV1)
    return EndpointFamily(
      "presence",
      [
        .put(
          "setPresence", path, as: User.self, on: .anyPreferring(writerOf: .presence), limited: true, to: setPresence),
        .get("getPresence", path, as: User.self, to: getPresence),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3presenceuseridstatus
  private func setPresence(_ caller: User, _ request: Request) async throws -> Response {
    guard try request.userID == caller.userID else {
      throw MatrixError.forbidden("Can only set your own presence state")
    }
    try limit.check(caller.userID.rawValue)
    let body = try request.jsonObject()
    guard let state = body["presence"]?.string, let members = body.members,
      members.allSatisfy({ $0.key == "presence" || $0.key == "status_msg" })
    else { throw MatrixError.unknown("Unable to parse state", status: 400) }
    if let message = body["status_msg"], message.string == nil {
      throw MatrixError.unknown("status_msg must be a string.", status: 400)
    }
    try await presence.setState(
      caller.userID, device: caller.deviceID, state: state, statusMessage: body["status_msg"]?.string)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3presenceuseridstatus
  private func getPresence(_ caller: User, _ request: Request) async throws -> Response {
    let state = try await presence.state(of: try request.userID, seenBy: caller.userID)
    return .json { state.writeContent(to: &$0, now: clock.nowMilliseconds) }
  }
}
