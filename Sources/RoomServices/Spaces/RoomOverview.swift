import MatrixEvents
import MatrixPrimitives
import Stores

/// What is told of a room to those who might join it.
public struct RoomOverview: Sendable {
  /// The room's id.
  public let roomID: RoomID
  /// The room's version.
  public let version: RoomVersion
  /// The number of joined members.
  public let joinedMembers: Int64
  /// Whether a user of this server is in the room, without whom nothing is known of it for sure.
  let includesLocalUsers: Bool
  private let state: [Text: StoredEvent]
  private let spaceChildren: [StoredEvent]

  init?(roomID: RoomID, occupancy: MembershipStore.Occupancy?, events: [StoredEvent]) {
    var state: [Text: StoredEvent] = [:]
    var children: [StoredEvent] = []
    for event in events {
      if event.type == Self.childType {
        children.append(event)
      } else if event.stateKey == "" {
        state[event.type] = event
      }
    }
    guard let create = state[EventType.create] else { return nil }
    self.roomID = roomID
    version = create.event.version
    joinedMembers = occupancy?.joined ?? 0
    includesLocalUsers = occupancy?.includesLocalUsers ?? false
    self.state = state
    spaceChildren = children
  }

  static let childType = "m.space.child"
  /// The state from which an overview is made, children apart.
  static let types = [
    EventType.create, EventType.name, EventType.topic, EventType.canonicalAlias, EventType.avatar, EventType.joinRules,
    EventType.historyVisibility, EventType.guestAccess, EventType.encryption,
  ]

  private func text(_ type: Text, _ key: Text) -> Text? { state[type]?.content[key]?.string }

  /// The room's name.
  public var name: Text? { text(EventType.name, "name") }
  /// The room's topic in plain text.
  public var topic: Text? { state[EventType.topic]?.plainTopic }
  /// The room's main alias.
  public var canonicalAlias: Text? { text(EventType.canonicalAlias, "alias") }
  /// The avatar's address.
  public var avatarURL: Text? { text(EventType.avatar, "url") }
  /// Whether anybody may read the room.
  public var isWorldReadable: Bool { text(EventType.historyVisibility, "history_visibility") == "world_readable" }
  /// Whether guests may join.
  public var guestsCanJoin: Bool { text(EventType.guestAccess, "guest_access") == "can_join" }
  /// The rule by which users join.
  public var joinRule: Text? { text(EventType.joinRules, "join_rule") }
  /// The type of the room, such as `m.space`.
  public var roomType: Text? { text(EventType.create, "type") }
  /// The algorithm by which messages are encrypted; nil for rooms that are not encrypted.
  public var encryption: Text? { text(EventType.encryption, "algorithm") }

  /// Whether members of certain rooms may join.
  private var isRestricted: Bool {
    (joinRule == "restricted" && version.allowsRestrictedJoins)
      || (joinRule == "knock_restricted" && version.allowsKnockRestrictedJoins)
  }

  /// The rooms whose members may join; nil when there are none.
  public var allowedRooms: [Text]? {
    guard isRestricted, let conditions = state[EventType.joinRules]?.content["allow"]?.elements else { return nil }
    let rooms = conditions.compactMap { condition in
      condition["type"]?.string == "m.room_membership" ? condition["room_id"]?.string : nil
    }
    return rooms.isEmpty ? nil : rooms
  }

  /// Returns whether a user may be told of the room: whoever may read or join it, or is in it or invited already.
  ///
  /// - Parameter memberships: the user's rooms; nil for a caller without an account.
  func isShown(to memberships: [RoomID: Membership]?) -> Bool {
    switch joinRule {
    case "public": return true
    case "knock" where version.allowsKnocking: return true
    case "knock_restricted" where version.allowsKnockRestrictedJoins: return true
    default: break
    }
    if isWorldReadable { return true }
    guard let memberships else { return false }
    if let own = memberships[roomID], own == .join || own == .invite { return true }
    return allowedRooms?.contains { memberships[RoomID(unchecked: $0)] == .join } ?? false
  }

  // MARK: Children

  /// The events that put rooms into this space, in the order in which they are shown; empty for other rooms.
  ///
  /// Events without servers have been taken back. https://spec.matrix.org/v1.16/client-server-api/#ordering-of-children-within-a-space
  func children(suggestedOnly: Bool) -> [StoredEvent] {
    guard roomType == "m.space" else { return [] }
    let valid = spaceChildren.filter { child in
      guard let via = child.content["via"]?.elements, !via.isEmpty, via.allSatisfy({ $0.string != nil }) else {
        return false
      }
      return !suggestedOnly || child.content["suggested"]?.bool == true
    }
    return valid.map { (Self.rank($0), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  private static func rank(_ child: StoredEvent) -> (Int, Text, Int64, Text) {
    let order = child.content["order"]?.string.flatMap { order in
      order.utf8.count <= 50 && order.utf8.allSatisfy { (0x20...0x7E).contains($0) } ? order : nil
    }
    return (order == nil ? 1 : 0, order ?? "", child.event.originServerTS, child.stateKey ?? "")
  }
}
