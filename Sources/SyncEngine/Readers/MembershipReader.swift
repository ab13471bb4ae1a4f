import MatrixEvents
import MatrixPrimitives
import Stores

/// The reader of a user's relations to rooms and to the users in them, and of their changes.
final class MembershipReader: Sendable {
  /// The longest wait until the position has reached a membership that the database has already.
  private static let catchUpTimeout = Duration.seconds(2)

  private let memberships: MembershipStore
  private let events: EventStore
  private let notifier: Notifier
  private let tokens: CurrentTokens

  init(memberships: MembershipStore, events: EventStore, notifier: Notifier, tokens: CurrentTokens) {
    self.memberships = memberships
    self.events = events
    self.notifier = notifier
    self.tokens = tokens
  }

  /// Reads the user's relations to rooms, and the position up to which that is so: it promises no change that the list lacks, and the list
  /// has none that lies beyond it, which the next sync would take for known.
  func current(of user: UserID) async throws -> (rooms: [RoomForUser], upTo: StreamToken) {
    let deadline = ContinuousClock.now + Self.catchUpTimeout
    while true {
      let mark = notifier.positionMark()
      let now = tokens.current()
      // Asked for after the position: what is kept in memory is struck off before the position advances.
      let rooms = try await memberships.allRooms(for: user)
      let isCovered = rooms.allSatisfy {
        now.room.position.covers($0.streamOrdering, instance: $0.instanceName)
      }
      if isCovered { return (rooms, now) }
      guard case .changed = await notifier.waitForPosition(after: mark, until: deadline) else { return (rooms, now) }
    }
  }

  /// Reads how the user's memberships changed between two points; rooms without a change are absent.
  ///
  /// Cost: nothing when no membership is newer than `after`.
  /// - Parameters:
  ///   - rooms: the memberships at `upTo`.
  ///   - excluded: rooms that are left out.
  func changes(
    of user: UserID, in rooms: [RoomForUser], after: RoomStreamToken, upTo: RoomStreamToken,
    excluding excluded: Set<RoomID>
  ) async throws -> [RoomID: MembershipSpan] {
    guard rooms.contains(where: { !after.position.covers($0.streamOrdering, instance: $0.instanceName) }) else {
      return [:]
    }
    let changes = try await events.membershipChanges(userID: user, after: after, upTo: upTo)
    let byRoom = Dictionary(grouping: changes.filter { !excluded.contains($0.roomID) }, by: \.roomID)
    let before = try await membershipsBefore(byRoom.values.compactMap(\.first))
    var spans: [RoomID: MembershipSpan] = [:]
    for (room, changes) in byRoom { spans[room] = MembershipSpan(changes: changes, before: before[room]) }
    return spans
  }

  /// Returns the user's relation to each room before its first change: what that event replaced.
  private func membershipsBefore(_ firsts: [MembershipChange]) async throws -> [RoomID: Text] {
    var replaced: [RoomID: EventID] = [:]
    for event in try await events.events(firsts.map(\.eventID)).values {
      replaced[event.roomID] = event.replacedEventID
    }
    let previous = try await events.events(Array(replaced.values))
    return replaced.compactMapValues { previous[$0]?.event.membership }
  }

  /// Finds where the user's view of rooms ends in which they are no more; see ``MembershipStore/departures(of:from:)``.
  func departures(of user: UserID, from rooms: [RoomID]) async throws -> [RoomID: EventPosition] {
    try await memberships.departures(of: user, from: rooms)
  }

  // MARK: Others

  /// Reads who is in at least one of the rooms.
  func joinedUsers(in rooms: Set<RoomID>) async throws -> Set<UserID> {
    var users: Set<UserID> = []
    for room in rooms { users.formUnion(try await memberships.joinedUsers(room)) }
    return users
  }

  /// Reads who is in a room together with the user, who is not among them.
  ///
  /// - Parameter excluded: rooms that do not count.
  func usersSharingRooms(with user: UserID, outside excluded: Set<RoomID> = []) async throws -> Set<UserID> {
    guard !excluded.isEmpty else { return try await memberships.usersSharingRooms(with: user) }
    let rooms = Set(try await memberships.rooms(for: user, memberships: [.join]).map(\.roomID))
    var users = try await joinedUsers(in: rooms.subtracting(excluded))
    users.remove(user)
    return users
  }

  /// Finds those among some users who are in one of the user's rooms.
  func sharing(with user: UserID, among others: Set<UserID>) async throws -> Set<UserID> {
    try await memberships.sharing(with: user, among: others)
  }

  /// Returns whether another user is in one of the user's rooms.
  ///
  /// - Parameter excluded: rooms that do not count.
  func sharesRoom(_ user: UserID, with other: UserID, outside excluded: Set<RoomID> = []) async throws -> Bool {
    for room in try await memberships.rooms(for: user, memberships: [.join]) where !excluded.contains(room.roomID) {
      if try await memberships.members(room.roomID)[other]?.membership == .join { return true }
    }
    return false
  }
}
