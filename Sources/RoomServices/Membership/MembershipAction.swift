import MatrixEvents
import MatrixPrimitives
import Stores

/// Names what is done to somebody's membership of a room.
public enum MembershipAction: Text, Sendable {
  case join, invite, leave, ban, kick, unban, knock

  /// Finds the action that a client asks for by the membership it sets as state; nil for what is no membership.
  public init?(membership: Text) {
    guard Membership(rawValue: membership) != nil else { return nil }
    self.init(rawValue: membership)
  }

  /// Returns the membership that results.
  public var membership: Text {
    switch self {
    case .kick, .unban: "leave"
    default: rawValue
    }
  }
}

/// Holds a change of somebody's membership, as a client asks for it.
public struct MembershipRequest: Sendable {
  /// Holds the room.
  public var roomID: RoomID
  /// Holds the user whose membership changes.
  public var target: UserID
  /// Holds what is done.
  public var action: MembershipAction
  /// Holds further members for the event's content, such as `reason`; always an object.
  public var content: [Text: JSON]
  /// Holds the client's transaction id.
  public var transactionID: Text?
  /// Holds the servers through which the room may be reached.
  public var servers: [Text]
  /// Holds an identity server's statement that the user owns an invited address (`third_party_signed`).
  public var thirdPartySigned: JSON?
  /// Whether `rc_joins`, `rc_invites` and `rc_message` apply.
  public var ratelimit: Bool
  /// Holds the time to put into the event instead of now.
  public var originServerTS: Int64?

  /// Makes a change.
  public init(
    roomID: RoomID, target: UserID, action: MembershipAction, content: [Text: JSON] = [:],
    transactionID: Text? = nil, servers: [Text] = [], thirdPartySigned: JSON? = nil, ratelimit: Bool = true,
    originServerTS: Int64? = nil
  ) {
    self.roomID = roomID
    self.target = target
    self.action = action
    self.content = content
    self.transactionID = transactionID
    self.servers = servers
    self.thirdPartySigned = thirdPartySigned
    self.ratelimit = ratelimit
    self.originServerTS = originServerTS
  }
}
