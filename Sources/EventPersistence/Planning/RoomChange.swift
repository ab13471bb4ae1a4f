import MatrixEvents
import MatrixPrimitives
import Stores

/// The change that a batch makes to a room.
struct RoomChange: Sendable {
  /// The new forward extremities with their depths; nil when they stay.
  var extremities: [EventID: Int64]?
  /// The change of the current state; nil when it stays.
  var state: CurrentStateChange?
  /// Whether every event is of this server and follows events at the room's edge, so that nothing older can refer to
  /// it: no redaction, no gap and no later event is waiting for it.
  var isPlain = false
  /// State groups that are surely kept, because events at the room's edge refer to them.
  var keptGroups: Set<Int64> = []
}

/// The change of a room's current state.
struct CurrentStateChange: Sendable {
  /// The entries that are set.
  var inserted: StateMap
  /// The entries that are removed.
  var removed: [StateKey]
  /// Whether no user of this server is left in the room.
  var leavesRoom = false
  /// The users whose entries vanish because the server leaves the room.
  var formerMembers: [UserID] = []

  /// Lists the users whose membership changes.
  func changedMembers(of stores: RoomStores) -> [UserID] {
    var users = Set(formerMembers)
    for key in inserted.keys where key.type == EventType.member { users.insert(UserID(unchecked: key.stateKey)) }
    for key in removed where key.type == EventType.member { users.insert(UserID(unchecked: key.stateKey)) }
    return users.sorted()
  }

  /// The changed entries, removed ones first.
  var keys: [StateKey] { removed + inserted.keys.sorted() }
}
