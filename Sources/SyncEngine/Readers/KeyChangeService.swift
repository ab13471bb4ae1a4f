import MatrixPrimitives
import Stores

/// The answer to whose keys have changed since a token: `/keys/changes`.
public final class KeyChangeService: Sendable {
  /// The users of an answer.
  public struct Changes: Sendable {
    /// Users whose keys have to be asked for again.
    public let changed: Set<UserID>
    /// Users who share no room with the user any more.
    public let left: Set<UserID>
  }

  private let memberships: MembershipReader
  private let deviceLists: DeviceListReader

  init(readers: SyncReaders) {
    memberships = readers.memberships
    deviceLists = readers.deviceLists
  }

  /// Reads the changes from a point until now; what has changed since a client's end point is named as well, as on Synapse.
  public func changes(for user: UserID, since: StreamToken) async throws -> Changes {
    let (rooms, now) = try await memberships.current(of: user)
    var movements = DeviceListReader.Movements()
    let spans = try await memberships.changes(
      of: user, in: rooms, after: since.room, upTo: now.room, excluding: [])
    for (room, span) in spans {
      if span.last?.membership == "join" {
        if span.wasAway { movements.joinedRooms.insert(room) }
      } else if span.wasJoined || span.hasJoined {
        movements.leftRooms.insert(room)
      }
    }
    try await deviceLists.addMembers(
      of: rooms.filter { $0.membership == .join }.map(\.roomID), near: user, after: since.room, upTo: now.room,
      to: &movements)
    let changes = try await deviceLists.changes(
      for: user, after: since.deviceList, upTo: now.deviceList, movements)
    return Changes(changed: changes.changed, left: changes.left)
  }
}
