import MatrixEvents
import MatrixPrimitives

/// A user's relation to a room.
public enum Membership: Text, Sendable, Hashable, CaseIterable {
  case join, invite, leave, ban, knock
}

/// One user's relation to one room: a row of `local_current_membership`.
public struct RoomForUser: Sendable, Hashable {
  /// The room's id.
  public let roomID: RoomID
  /// The membership.
  public let membership: Membership
  /// The membership event.
  public let eventID: EventID
  /// The sender of that event.
  public let sender: UserID
  /// The place of that event in the events stream.
  public let streamOrdering: Int64
  /// The writer that stored it.
  public let instanceName: Text
  /// The room's version; nil when this server does not know it.
  public let roomVersion: RoomVersion?
  /// Whether the user has forgotten the room.
  public let isForgotten: Bool
}

/// A member's relation to a room, by that room's current state.
public struct RoomMember: Sendable, Hashable {
  /// The membership.
  public let membership: Membership
  /// The membership event.
  public let eventID: EventID
}
