import AccountServices
import Logging
import MatrixPrimitives
import RoomServices
import Stores

extension AccountServices.RoomHooks {
  /// Brings what happens to accounts into their rooms.
  init(
    rooms: RoomServices, limiter: RoomRateLimiter, stores: RoomStores, logger: Logger,
    signRequest: @escaping RequestSigning
  ) {
    self.init(
      limitProfileChange: { try await limiter.check(.message, $0) },
      propagateProfile: { user, _, requester in
        var acting = requester
        acting.userID = user
        do {
          try await rooms.memberships.propagateProfile(of: acting)
        } catch {
          logger.warning("Could not show the new profile of \(user) in all rooms: \(error)")
        }
      },
      welcome: { user, isGuest in
        await rooms.automaticJoins.welcome(user, isGuest: isGuest)
      },
      leaveAllRooms: { user in
        do {
          try await rooms.delayedEvents.cancelAll(of: user)
        } catch {
          logger.warning("\(user) was deactivated but what was to be sent later could not be cancelled: \(error)")
          return false
        }
        return await Self.leaveAllRooms(user, rooms, stores, logger)
      },
      signRequest: signRequest)
  }

  /// Leaves the rooms of a deactivated user, in the server's name; what a room refuses for good is not tried again.
  private static func leaveAllRooms(
    _ user: UserID, _ rooms: RoomServices, _ stores: RoomStores, _ logger: Logger
  ) async -> Bool {
    let acting = Requester(userID: user, authenticatedEntity: stores.context.config.serverName)
    do {
      var hasLeftAll = true
      for room in try await stores.memberships.rooms(for: user, memberships: [.join, .invite, .knock]) {
        do {
          _ = try await rooms.memberships.change(
            MembershipRequest(roomID: room.roomID, target: user, action: .leave, ratelimit: false),
            requester: acting)
        } catch {
          logger.warning("\(user) was deactivated but could not leave \(room.roomID): \(error)")
          if ((error as? MatrixError)?.status ?? 500) >= 500 { hasLeftAll = false }
        }
      }
      return hasLeftAll
    } catch {
      logger.warning("\(user) was deactivated but the rooms could not be read: \(error)")
      return false
    }
  }
}
