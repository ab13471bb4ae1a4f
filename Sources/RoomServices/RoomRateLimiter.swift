import MatrixEvents
import MatrixPrimitives

/// The actions of a user in a room, for the rate limits `rc_message`, `rc_joins`, `rc_invites` and
/// `rc_room_creation` of the configuration.
public enum RateLimitedAction: Sendable, Hashable {
  /// Sending an event (`rc_message`).
  case message
  /// Redacting somebody else's event (`rc_admin_redaction`, or `rc_message` where that is not set).
  case adminRedaction
  /// Creating a room (`rc_room_creation`).
  case roomCreation
  /// Joining a room that this server is in (`rc_joins.local`).
  case localJoin
  /// Joining one room, by any user (`rc_joins_per_room`).
  case joinOfRoom(RoomID)
  /// Inviting into one room (`rc_invites.per_room`).
  case inviteToRoom(RoomID)
  /// Inviting into a room that is being created (`rc_invites.per_room`, by the user).
  case inviteToNewRoom
  /// Inviting one user (`rc_invites.per_user`).
  case inviteOfUser(UserID)
  /// Inviting, by the inviting user (`rc_invites.per_issuer`).
  case inviteByIssuer
  /// Reading the rooms below a space (five a second and ten at once, as on Synapse; no setting changes it).
  case hierarchy
  /// Changing events that are sent later (`rc_delayed_event_mgmt`).
  case delayedEventManagement
}

/// The decision whether a user may act now; the token buckets belong to the maker of the value.
public struct RoomRateLimiter: Sendable {
  /// A closure that checks an action, and counts it unless `counts` is false.
  ///
  /// Throws `MatrixError` 429 `M_LIMIT_EXCEEDED` when the user has to wait.
  public typealias Check =
    @Sendable (
      _ action: RateLimitedAction, _ requester: Requester, _ counts: Bool, _ times: Int
    ) async throws -> Void

  private let body: Check

  /// Makes a limiter of a function.
  public init(_ body: @escaping Check) {
    self.body = body
  }

  /// The limiter that lets everything pass.
  public static let unlimited = RoomRateLimiter { _, _, _, _ in }

  /// Checks an action.
  ///
  /// - Parameters:
  ///   - counts: whether the action is counted when it is allowed.
  ///   - times: how often the action will be done, at least 1.
  /// - Throws: `MatrixError` 429 when the user has to wait.
  public func check(
    _ action: RateLimitedAction, _ requester: Requester, counts: Bool = true, times: Int = 1
  ) async throws {
    try await body(action, requester, counts, times)
  }
}
