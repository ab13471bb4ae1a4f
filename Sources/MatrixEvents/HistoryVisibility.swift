import MatrixPrimitives

/// The users who may see a room's history.
///
/// Source: the client-server API's "Room History Visibility".
public enum HistoryVisibility: Text, Sendable, CaseIterable, Comparable {
  /// Everybody, without joining.
  case worldReadable = "world_readable"
  /// Members, all of the history.
  case shared
  /// Members, from when they were invited.
  case invited
  /// Members, from when they joined.
  case joined

  /// Reads the visibility of a state; without an event or with an unknown value it is `shared`.
  public init(_ event: Event?) {
    self = event?.content["history_visibility"]?.string.flatMap { HistoryVisibility(rawValue: $0) } ?? .shared
  }

  private var strictness: Int {
    switch self {
    case .worldReadable: 0
    case .shared: 1
    case .invited: 2
    case .joined: 3
    }
  }

  /// Orders from the laxest to the strictest.
  public static func < (a: HistoryVisibility, b: HistoryVisibility) -> Bool { a.strictness < b.strictness }

  /// The outcome for one event and user.
  public struct Decision: Sendable, Hashable {
    /// Whether the user may see the event.
    public let isAllowed: Bool
    /// Whether the user was joined when it was sent; only those see erased senders' events unredacted.
    public let wasJoined: Bool

    init(_ isAllowed: Bool, wasJoined: Bool) {
      self.isAllowed = isAllowed
      self.wasJoined = wasJoined
    }
  }

  /// Returns the visibility that counts for an event: for a change of the visibility itself the laxer of old and new.
  /// - Parameters:
  ///   - event: the event to be shown.
  ///   - state: the visibility in the state at the event, the event included.
  ///   - previous: for a visibility event, the one it replaced.
  public static func effective(
    for event: Event, state: HistoryVisibility, previous: HistoryVisibility? = nil
  ) -> HistoryVisibility {
    event.type == EventType.historyVisibility && event.isState ? min(state, previous ?? .shared) : state
  }

  /// Returns whether the visibility alone lets a user see events, so that no membership has to be looked up.
  /// - Parameter isPeeking: whether the user is not in the room now.
  public func allowsWithoutMembership(isPeeking: Bool) -> Bool {
    self == .worldReadable || (self == .shared && !isPeeking)
  }

  /// Decides whether a user may see an event.
  /// - Parameters:
  ///   - event: the event to be shown.
  ///   - user: who wants to see it.
  ///   - visibility: what `effective` gives.
  ///   - membershipAtEvent: the user's membership in the state at the event; nil if there is none.
  ///   - previousMembership: for the user's own membership event, the membership it replaced.
  ///   - isPeeking: whether the user is not in the room now.
  public static func decide(
    _ event: Event, for user: UserID, visibility: HistoryVisibility, membershipAtEvent: Text?,
    previousMembership: Text? = nil, isPeeking: Bool
  ) -> Decision {
    var membership = membershipAtEvent
    if event.type == EventType.member, let stateKey = event.stateKey, stateKey == user.rawValue {
      let new = rank(event.membership)
      let old = rank(previousMembership)
      // Users must learn that they are out, or the room would stay in their list.
      if new == .leave, old == .join || old == .invite { return Decision(true, wasJoined: false) }
      membership = min(new, old).rawValue
    }
    if membership == "join" { return Decision(true, wasJoined: true) }
    switch visibility {
    case .joined: return Decision(false, wasJoined: false)
    case .invited: return Decision(membership == "invite", wasJoined: false)
    case .shared: return Decision(!isPeeking, wasJoined: false)
    case .worldReadable: return Decision(true, wasJoined: false)
    }
  }

  /// The memberships, from the one that lets a user see most.
  private enum MembershipRank: Text, Comparable {
    case join, invite, knock, leave, ban

    private var order: Int {
      switch self {
      case .join: 0
      case .invite: 1
      case .knock: 2
      case .leave: 3
      case .ban: 4
      }
    }

    static func < (a: MembershipRank, b: MembershipRank) -> Bool { a.order < b.order }
  }

  private static func rank(_ membership: Text?) -> MembershipRank {
    membership.flatMap { MembershipRank(rawValue: $0) } ?? .leave
  }
}
