import MatrixEvents
import MatrixPrimitives
import RateLimits
import Replication
import RoomServices
import ServerConfig
import Stores

extension RoomRateLimiter {
  /// Makes the limiter of the settings `rc_message`, `rc_joins`, `rc_joins_per_room`, `rc_invites` and `rc_room_creation`.
  ///
  /// Users whose limits an administrator has lifted (`ratelimit_override`) pass; application services do too.
  init(_ settings: RateLimitSettings, accounts: AccountStores) {
    let limits = RoomLimits(settings, accounts: accounts)
    // Joins of a room count when they have happened, wherever: else joins that are refused would keep others out.
    accounts.context.hub.subscribe(.events) { batch in
      for case .event(let event) in batch.rows where event.isJoin { limits.countJoin(of: event.roomID) }
    }
    self.init { action, requester, counts, times in
      try await limits.check(action, requester, counts: counts, times: times)
    }
  }
}

/// One bucket for each kind of action in rooms.
private final class RoomLimits: Sendable {
  private let messages, redactions, creations, localJoins: RateLimiter
  private let joinsPerRoom, invitesPerRoom, invitesPerUser, invitesPerIssuer: RateLimiter
  private let accounts: AccountStore

  init(_ settings: RateLimitSettings, accounts: AccountStores) {
    let clock = accounts.context.clock
    messages = RateLimiter(settings.message, clock: clock)
    redactions = RateLimiter(settings.adminRedaction ?? settings.message, clock: clock)
    creations = RateLimiter(settings.roomCreation, clock: clock)
    localJoins = RateLimiter(settings.joinsLocal, clock: clock)
    joinsPerRoom = RateLimiter(settings.joinsPerRoom, clock: clock)
    invitesPerRoom = RateLimiter(settings.invitesPerRoom, clock: clock)
    invitesPerUser = RateLimiter(settings.invitesPerUser, clock: clock)
    invitesPerIssuer = RateLimiter(settings.invitesPerIssuer, clock: clock)
    self.accounts = accounts.accounts
  }

  func check(_ action: RateLimitedAction, _ requester: Requester, counts: Bool, times: Int) async throws {
    let override = try await accounts.rateLimitOverride(requester)
    if case .unlimited = override { return }
    if case .messages(let limit) = override, case .message = action {
      return try messages.check(requester.userID.rawValue, count: counts, times: times, instead: limit)
    }
    let (limiter, key) = bucket(action, requester.userID.rawValue)
    try limiter.check(key, count: counts, times: times)
  }

  func countJoin(of room: RoomID) { joinsPerRoom.count(room.rawValue) }

  private func bucket(_ action: RateLimitedAction, _ user: Text) -> (RateLimiter, Text) {
    switch action {
    case .message: (messages, user)
    case .adminRedaction: (redactions, user)
    case .roomCreation: (creations, user)
    case .localJoin: (localJoins, user)
    case .joinOfRoom(let room): (joinsPerRoom, room.rawValue)
    case .inviteToRoom(let room): (invitesPerRoom, room.rawValue)
    case .inviteToNewRoom: (invitesPerRoom, user)
    case .inviteOfUser(let invited): (invitesPerUser, invited.rawValue)
    case .inviteByIssuer: (invitesPerIssuer, user)
    }
  }
}

extension EventsRow.Event {
  fileprivate var isJoin: Bool { type == EventType.member && membership == "join" && !isOutlier && !isRejected }
}
