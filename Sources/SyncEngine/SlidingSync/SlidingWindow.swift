import Collections
import MatrixPrimitives
import Stores

/// The rooms that a request is about.
struct SlidingWindow: Sendable {
  /// A list as the client is shown it.
  struct List: Sendable {
    /// The number of rooms in the list.
    let count: Int
    /// The rooms in each range that the client looks at.
    let ranges: [(range: SlidingSyncBody.Range, rooms: [RoomID])]
  }

  /// A room with the user's relation to it.
  struct Room: Sendable {
    let membership: RoomForUser
    /// Whether the user has come into the room since the client's token.
    var isNewlyJoined = false
    /// Whether the user has left the room since then.
    var isNewlyLeft = false
  }

  /// The lists, in the order of the request.
  var lists: OrderedDictionary<Text, List> = [:]
  /// What is wanted of the rooms in ranges and subscriptions, in the order in which they are sent.
  var wanted: OrderedDictionary<RoomID, SlidingRoomConfig> = [:]
  /// The rooms that may have something to send, in that order.
  var toSend: [RoomID] = []
  /// Rooms that the client has and that may have changed since its token, but are not looked at.
  var unseen: Set<RoomID> = []
  /// The rooms of lists and subscriptions, whether they are looked at or not.
  var rooms: [RoomID: Room] = [:]
  /// The rooms that the user has with single people.
  var direct: Set<RoomID> = []

  /// Returns the rooms for which an extension is wanted.
  func rooms(in scope: SlidingSyncBody.Scope) -> Set<RoomID> {
    var chosen: Set<RoomID> = []
    for name in scope.rooms ?? [] {
      if name == SlidingRequiredState.wildcard { return Set(wanted.keys) }
      let room = RoomID(unchecked: name)
      if wanted[room] != nil { chosen.insert(room) }
    }
    for name in Set(scope.lists ?? []) {
      let shown = name == SlidingRequiredState.wildcard ? Array(lists.values) : lists[name].map { [$0] } ?? []
      for list in shown { for range in list.ranges { chosen.formUnion(range.rooms) } }
    }
    return chosen
  }
}
