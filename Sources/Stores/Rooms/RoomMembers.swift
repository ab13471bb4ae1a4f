import Collections
import MatrixPrimitives

/// The members of a room by its current state, immutable and sharing its structure with other versions.
public struct RoomMembers: Sendable {
  private var entries: TreeDictionary<UserID, RoomMember>
  private var counts: [Membership: Int] = [:]
  private var joinedLocals: TreeSet<UserID> = []
  private let suffix: Text

  /// Makes the list from entries; of several for one user the last one counts.
  ///
  /// - Parameter serverName: the server whose users are local.
  public init(_ list: some Sequence<(UserID, RoomMember)>, serverName: Text) {
    entries = [:]
    suffix = ":" + serverName
    for (user, member) in list { set(user, member) }
  }

  /// Returns a user's relation to the room.
  public subscript(_ user: UserID) -> RoomMember? { entries[user] }

  /// Counts the users of one membership.
  public func count(_ membership: Membership) -> Int { counts[membership] ?? 0 }

  /// Lists the users of one membership, in no particular order.
  public func users(_ membership: Membership) -> [UserID] {
    var users: [UserID] = []
    users.reserveCapacity(count(membership))
    for (user, member) in entries where member.membership == membership { users.append(user) }
    return users
  }

  /// The joined users of this server, in no particular order.
  public var localJoinedUsers: [UserID] { Array(joinedLocals) }

  /// Calls `body` for every member, in no particular order.
  public func forEach(_ body: (UserID, RoomMember) throws -> Void) rethrows {
    for (user, member) in entries { try body(user, member) }
  }

  /// Returns the list with one user's entry replaced, or removed when `member` is nil.
  public func setting(_ user: UserID, _ member: RoomMember?) -> RoomMembers {
    var copy = self
    copy.set(user, member)
    return copy
  }

  private mutating func set(_ user: UserID, _ member: RoomMember?) {
    if let old = entries[user] { counts[old.membership, default: 1] -= 1 }
    if let member { counts[member.membership, default: 0] += 1 }
    entries[user] = member
    guard user.rawValue.hasSuffix(suffix) else { return }
    if member?.membership == .join { joinedLocals.insert(user) } else { joinedLocals.remove(user) }
  }

  var weight: Int { 256 + entries.count * 190 }
}
