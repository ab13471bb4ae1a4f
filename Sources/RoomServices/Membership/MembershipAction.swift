import MatrixEvents
import MatrixPrimitives
import Stores

/// The actions on somebody's membership of a room.
public enum MembershipAction: Text, Sendable {
  case join, invite, leave, ban, kick, unban, knock

  /// Finds the action that a client asks for by the membership it sets as state; nil for what is no membership.
  public init?(membership: Text) {
    guard Membership(rawValue: membership) != nil else { return nil }
    self.init(rawValue: membership)
  }

  /// The membership that results.
  public var membership: Text {
    switch self {
    case .kick, .unban: "leave"
    default: rawValue
    }
  }
}

/// A change of somebody's membership, as a client asks for it.
public struct MembershipRequest: Sendable {
  /// The room.
  public var roomID: RoomID
  /// The user whose membership changes.
  public var target: UserID
  /// The action.
  public var action: MembershipAction
  /// Further members for the event's content, such as `reason`; always an object.
  public var content: [Text: JSON]
  /// The client's transaction id.
  public var transactionID: Text?
  /// The name of the change among the events that were to be sent later (MSC4140).
  public var delayID: Text?
  /// The servers through which the room may be reached.
  public var servers: [Text]
  /// An identity server's statement that the user owns an invited address (`third_party_signed`).
  public var thirdPartySigned: JSON?
  /// Whether `rc_joins`, `rc_invites` and `rc_message` apply.
  public var ratelimit: Bool
  /// The time to put into the event instead of now.
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
