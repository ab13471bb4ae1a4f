import MatrixPrimitives
import Stores

/// The reader of the users whose devices a client has to ask for again, and of those it need not follow any more.
final class DeviceListReader: Sendable {
  /// What a client that encrypts has to know of other users.
  struct Changes: Sendable {
    /// Users whose devices or keys are other ones than before, or who are new to the user.
    var changed: Set<UserID> = []
    /// Users who share no room with the user any more.
    var left: Set<UserID> = []
  }

  /// Who came near the user and who went away.
  struct Movements: Sendable {
    /// Users who have come into rooms of the user.
    var arrived: Set<UserID> = []
    /// Users who have left rooms of the user.
    var gone: Set<UserID> = []
    /// Rooms that the user has come into.
    var joinedRooms: Set<RoomID> = []
    /// Rooms that the user has left.
    var leftRooms: Set<RoomID> = []
  }

  private let devices: DeviceListStore
  private let memberships: MembershipReader

  init(devices: DeviceListStore, memberships: MembershipReader) {
    self.devices = devices
    self.memberships = memberships
  }

  /// Reads the changes between two positions.
  func changes(
    for user: UserID, after: MultiWriterToken, upTo: MultiWriterToken, _ movements: Movements
  ) async throws -> Changes {
    var changed = movements.arrived.union(try await memberships.joinedUsers(in: movements.joinedRooms))
    if after != upTo {
      for other in try await devices.usersWithChangedDevices(after: after, upTo: upTo) {
        if other == user {
          changed.insert(other)
        } else if try await memberships.sharesRoom(user, with: other) {
          changed.insert(other)
        }
      }
      changed.formUnion(try await devices.usersSigned(by: user, after: after, upTo: upTo))
    }
    var gone = movements.gone.union(try await memberships.joinedUsers(in: movements.leftRooms))
    gone.remove(user)
    for other in gone { if try await memberships.sharesRoom(user, with: other) { gone.remove(other) } }
    return Changes(changed: changed, left: gone)
  }
}
