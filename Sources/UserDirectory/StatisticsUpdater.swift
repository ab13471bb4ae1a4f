import Logging
import MatrixEvents
import MatrixPrimitives
import Stores

/// The upkeep of the statistics of rooms and users by the state of rooms, on the process with the background duty.
///
/// Numbers are added to, so the position moves in the transaction that adds to them.
public final class StatisticsUpdater: Sendable {
  private static let batchSize = 500

  private let stores: DirectoryStores
  private let follower: StateFollower?
  private let serverName: Text

  /// Makes the updater, before the hub runs.
  public init(stores: DirectoryStores, logger: Logger) {
    let config = stores.context.config
    self.stores = stores
    serverName = config.serverName
    follower =
      config.duties.runsBackgroundTasks && config.keepsStatistics
      ? StateFollower("statistics", hub: stores.context.hub, logger: logger) : nil
  }

  /// Keeps the statistics right, until cancelled; does nothing on a process without the duty.
  public func run() async {
    await follower?.run { [self] in try await pass() }
  }

  /// Counts everything that is known by now.
  public func pass() async throws {
    while true {
      let position = try await stores.statistics.position()
      let end = stores.events.currentToken().stream
      guard position < end else { return }
      let batch = try await stores.events.stateDeltaBatch(after: position, upTo: end, limit: Self.batchSize)
      let changes = try await changes(by: batch.deltas)
      _ = try await stores.statistics.apply(changes, from: position, to: batch.reached)
    }
  }

  private func changes(by deltas: [StateDelta]) async throws -> StatisticsStore.Changes {
    let rooms = Set(deltas.map(\.roomID))
    let counted = try await stores.statistics.counted(Array(rooms))
    // A room that has been counted by itself includes what was there then.
    let new = deltas.filter { $0.streamID > counted[$0.roomID] ?? .min }
    let members = new.filter { $0.key.type == EventType.member }
    let memberships = try await stores.statistics.memberships(
      members.flatMap { [$0.eventID, $0.previousEventID].compactMap(\.self) })
    let others = new.filter { $0.key.type != EventType.member && RoomStatisticsState.covers($0.key.type) }
    let events = try await stores.events.events(others.compactMap(\.eventID))
    var changes = StatisticsStore.Changes()
    for room in rooms { changes.counted.updateValue(counted[room], forKey: room) }
    for delta in new {
      changes.states[delta.roomID, default: RoomStatisticsState()]
        .take(delta.key.type, delta.eventID.flatMap { events[$0] }?.content)
      if delta.previousEventID == nil { changes.rooms[delta.roomID, default: RoomCounts()].stateEvents += 1 }
      if delta.key.type == EventType.member { count(delta, memberships, in: &changes) }
    }
    return changes
  }

  /// Moves a member from one membership to the other. A removed entry counts as having left.
  private func count(_ delta: StateDelta, _ memberships: [EventID: Text], in changes: inout StatisticsStore.Changes) {
    let old = delta.previousEventID.flatMap { memberships[$0] }
    let new = delta.eventID.flatMap { memberships[$0] } ?? "leave"
    guard old != new else { return }
    if let old { changes.rooms[delta.roomID, default: RoomCounts()].members[old, default: 0] -= 1 }
    changes.rooms[delta.roomID, default: RoomCounts()].members[new, default: 0] += 1
    guard let user = UserID(delta.key.stateKey), user.serverName == serverName, (old == "join") != (new == "join")
    else { return }
    let difference: Int64 = new == "join" ? 1 : -1
    changes.joinedRooms[user, default: 0] += difference
    changes.rooms[delta.roomID, default: RoomCounts()].localUsers += difference
  }
}

extension RoomStatisticsState {
  /// The columns for types of state whose content has one member that is kept.
  private static let members: [Text: (column: Text, member: Text)] = [
    EventType.joinRules: ("join_rules", "join_rule"),
    EventType.historyVisibility: ("history_visibility", "history_visibility"),
    EventType.encryption: ("encryption", "algorithm"), EventType.name: ("name", "name"),
    EventType.avatar: ("avatar", "url"), EventType.canonicalAlias: ("canonical_alias", "alias"),
    EventType.guestAccess: ("guest_access", "guest_access"),
  ]

  /// The types of state of which something is kept.
  static let types: [Text] = members.keys + [EventType.create, EventType.topic]

  /// Returns whether something is kept of a type of state.
  static func covers(_ type: Text) -> Bool {
    members[type] != nil || type == EventType.create || type == EventType.topic
  }

  /// Takes over what an entry of the state says now.
  ///
  /// - Parameter content: nil when the entry was removed.
  mutating func take(_ type: Text, _ content: JSONValue?) {
    if let (column, member) = Self.members[type] {
      texts[column] = .some(Self.storable(content?[member]?.string))
    } else if type == EventType.topic {
      texts["topic"] = .some(Self.storable(content.flatMap { TopicText.plain($0) }))
    } else if type == EventType.create {
      isFederatable = content?["m.federate"].map { $0.bool == true } ?? true
      if let type = content?["type"]?.string { texts["room_type"] = .some(Self.storable(type)) }
    }
  }

  /// Returns a text unless the database cannot hold it.
  private static func storable(_ text: Text?) -> Text? { text?.contains(0) == true ? nil : text }
}
