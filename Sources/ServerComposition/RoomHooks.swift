import AccountServices
import Logging
import MatrixPrimitives
import Replication
import RoomServices
import Stores

extension AccountServices.RoomHooks {
  /// Brings what happens to accounts into their rooms.
  init(rooms: RoomServices, storage: Storage, logger: Logger) {
    self.init(
      propagateProfile: { user, _, requester in
        var acting = requester
        acting.userID = user
        do {
          try await rooms.memberships.propagateProfile(of: acting)
        } catch {
          logger.warning("Could not show the new profile of \(user) in all rooms: \(error)")
        }
      },
      leaveAllRooms: { user, requester in
        var acting = requester
        acting.userID = user
        do {
          for room in try await storage.memberships.rooms(for: user, memberships: [.join, .invite, .knock]) {
            do {
              _ = try await rooms.memberships.change(
                MembershipRequest(roomID: room.roomID, target: user, action: .leave, ratelimit: false),
                requester: acting)
            } catch {
              logger.warning("\(user) was deactivated but could not leave \(room.roomID): \(error)")
            }
          }
        } catch {
          logger.warning("\(user) was deactivated but the rooms could not be read: \(error)")
        }
      })
  }
}
