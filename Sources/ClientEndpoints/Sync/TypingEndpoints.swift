import EndpointKit
import MatrixPrimitives
import SyncEngine

/// Typing notifications.
package struct TypingEndpoints: Sendable {
  private let typing: TypingService
  private let presence: PresenceService

  /// Makes the family.
  package init(typing: TypingService, presence: PresenceService) {
    self.typing = typing
    self.presence = presence
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "typing",
      [
        .put(
          "setTyping", .client("rooms/{roomID}/typing/{userID}", .sinceV1), as: User.self, on: .writer(of: .typing),
          balance: .room, limited: true, to: setTyping)
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3roomsroomidtypinguserid
  private func setTyping(_ caller: User, _ request: Request) async throws -> Response {
    let (room, user, body) = (try request.roomID, try request.userID, try request.jsonObject())
    let isTyping = try body.requireBool("typing")
    let timeout = try body.optionalInteger("timeout")
    guard user == caller.userID else {
      throw MatrixError(.forbidden, "Cannot set another user's typing state", status: 400)
    }
    await presence.bump(caller.userID, device: caller.deviceID)
    try await typing.announce(caller.requester, in: room, isTyping: isTyping, timeout: timeout)
    return .emptyObject
  }
}
