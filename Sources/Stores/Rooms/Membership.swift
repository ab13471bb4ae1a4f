import MatrixEvents
import MatrixPrimitives

/// Says how a user stands to a room.
public enum Membership: Text, Sendable, Hashable, CaseIterable {
  case join, invite, leave, ban, knock
}

/// Holds how one user stands to one room: a row of `local_current_membership`.
public struct RoomForUser: Sendable, Hashable {
  /// Names the room.
  public let roomID: RoomID
  /// Holds the membership.
  public let membership: Membership
  /// Names the membership event.
  public let eventID: EventID
  /// Holds that event's sender.
  public let sender: UserID
  /// Holds that event's place in the events stream.
  public let streamOrdering: Int64
  /// Holds the writer that stored it.
  public let instanceName: Text
  /// Holds the room's version; nil when this server does not know it.
  public let roomVersion: RoomVersion?
  /// Tells whether the user has forgotten the room.
  public let isForgotten: Bool
}

/// Holds how a member stands to a room, by that room's current state.
public struct RoomMember: Sendable, Hashable {
  /// Holds the membership.
  public let membership: Membership
  /// Names the membership event.
  public let eventID: EventID
}
