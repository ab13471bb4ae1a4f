import MatrixEvents
import MatrixPrimitives
import Stores

/// Says how a batch changes a room.
struct RoomChange: Sendable {
  /// Holds the new forward extremities with their depths; nil when they stay.
  var extremities: [EventID: Int64]?
  /// Holds the change of the current state; nil when it stays.
  var state: CurrentStateChange?
  /// Tells whether every event is of this server and follows events at the room's edge, so that nothing older can refer to
  /// it: no redaction, no gap and no later event is waiting for it.
  var isPlain = false
  /// Lists state groups that are surely kept, because events at the room's edge refer to them.
  var keptGroups: Set<Int64> = []
}

/// Says how the current state of a room changes.
struct CurrentStateChange: Sendable {
  /// Holds the entries that are set.
  var inserted: StateMap
  /// Lists the entries that are removed.
  var removed: [StateKey]
  /// Tells whether no user of this server is left in the room.
  var leavesRoom = false
  /// Lists the users whose entries vanish because the server leaves the room.
  var formerMembers: [UserID] = []

  /// Lists the users whose membership changes.
  func changedMembers(of stores: RoomStores) -> [UserID] {
    var users = Set(formerMembers)
    for key in inserted.keys where key.type == EventType.member { users.insert(UserID(unchecked: key.stateKey)) }
    for key in removed where key.type == EventType.member { users.insert(UserID(unchecked: key.stateKey)) }
    return users.sorted()
  }

  /// Lists the changed entries, removed ones first.
  var keys: [StateKey] { removed + inserted.keys.sorted() }
}
