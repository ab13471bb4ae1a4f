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

  /// The greatest number of changed memberships that are looked at one by one; beyond it everybody near the user counts as new.
  static let mostMovements = 10_000

  private let devices: DeviceListStore
  private let memberships: MembershipReader
  private let events: EventStore

  init(devices: DeviceListStore, memberships: MembershipReader, events: EventStore) {
    self.devices = devices
    self.memberships = memberships
    self.events = events
  }

  /// Adds to movements who came into rooms and who left them, by the changes of the rooms' state: what a client is shown of a room may lack
  /// members, since timelines have gaps and members are loaded lazily.
  ///
  /// - Parameter rooms: the rooms that the user is in.
  func addMembers(
    of rooms: [RoomID], near user: UserID, after: RoomStreamToken, upTo: RoomStreamToken, to movements: inout Movements
  ) async throws {
    let deltas = try await events.memberDeltas(
      rooms: rooms, after: after, upTo: upTo, limit: Self.mostMovements)
    for delta in deltas {
      if Self.isNear(delta.membership) {
        guard !Self.isNear(delta.previous) else { continue }
        movements.arrived.insert(delta.user)
        movements.gone.remove(delta.user)
      } else if Self.isNear(delta.previous) {
        movements.arrived.remove(delta.user)
        movements.gone.insert(delta.user)
      }
    }
    if deltas.count >= Self.mostMovements {
      movements.arrived.formUnion(try await memberships.usersSharingRooms(with: user))
    }
  }

  /// Whether a client may have to encrypt for the user: one who is invited reads on once they join.
  private static func isNear(_ membership: Membership?) -> Bool {
    membership == .join || membership == .invite || membership == .knock
  }

  /// Reads the changes between two positions.
  func changes(
    for user: UserID, after: MultiWriterToken, upTo: MultiWriterToken, _ movements: Movements
  ) async throws -> Changes {
    var changed = movements.arrived.union(try await memberships.joinedUsers(in: movements.joinedRooms))
    if after != upTo {
      let others = try await devices.usersWithChangedDevices(after: after, upTo: upTo)
      if others.contains(user) { changed.insert(user) }
      changed.formUnion(try await memberships.sharing(with: user, among: others))
      changed.formUnion(try await devices.usersSigned(by: user, after: after, upTo: upTo))
    }
    var gone = movements.gone.union(try await memberships.joinedUsers(in: movements.leftRooms))
    gone.remove(user)
    gone.subtract(try await memberships.sharing(with: user, among: gone))
    return Changes(changed: changed, left: gone)
  }
}
