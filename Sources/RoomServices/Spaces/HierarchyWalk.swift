import MatrixPrimitives
import Stores

/// The way through the rooms below a space: each room once, before its neighbours what is below it.
struct HierarchyWalk {
  /// A room that is to be looked at.
  struct Place {
    let roomID: RoomID
    let depth: Int
    /// The servers through which the room may be reached; kept for processes that can ask them.
    let via: [Text]
  }

  /// The rooms to look at; the next one is the last.
  private var queue: [Place]
  private var seen: Set<RoomID> = []

  init(from room: RoomID) { queue = [Place(roomID: room, depth: 0, via: [])] }

  /// Goes on with a walk whose state was stored; nil when it belongs to another question or another user.
  init?(_ session: JSONValue, _ query: SpaceService.HierarchyQuery, _ user: UserID) {
    guard session["requester"]?.string == user.rawValue, session["room_id"]?.string == query.roomID.rawValue,
      session["suggested_only"]?.bool == query.suggestedOnly,
      session["max_depth"]?.integer == query.maximumDepth.map({ Int64($0) }),
      session["omit_remote_room_hierarchy"]?.bool != true, session["admin_skip_room_visibility_check"]?.bool != true,
      let rooms = session["room_queue"]?.elements, let processed = session["processed_rooms"]?.elements
    else { return nil }
    queue = rooms.compactMap { entry in
      guard let room = entry[0]?.string, let depth = entry[2]?.integer else { return nil }
      return Place(
        roomID: RoomID(unchecked: room), depth: Int(clamping: depth),
        via: entry[1]?.elements?.compactMap(\.string) ?? [])
    }
    seen = Set(processed.compactMap(\.string).map { RoomID(unchecked: $0) })
  }

  /// The state in the form in which Synapse stores it.
  func json(_ query: SpaceService.HierarchyQuery, _ user: UserID) -> JSON {
    let rooms = queue.map { place -> JSON in
      [
        .string(place.roomID.rawValue), .array(place.via.map { .string($0) }), .integer(Int64(place.depth)), nil,
      ]
    }
    return [
      "requester": .string(user.rawValue), "room_id": .string(query.roomID.rawValue),
      "suggested_only": .bool(query.suggestedOnly),
      "max_depth": query.maximumDepth.map { .integer(Int64($0)) } ?? nil,
      "omit_remote_room_hierarchy": false, "admin_skip_room_visibility_check": false,
      "room_queue": .array(rooms), "processed_rooms": .array(seen.map { .string($0.rawValue) }),
    ]
  }

  var isAtEnd: Bool { queue.isEmpty }

  /// Takes the next room that was not looked at before; nil at the end.
  mutating func next() -> Place? {
    while let place = queue.popLast() {
      if seen.insert(place.roomID).inserted { return place }
    }
    return nil
  }

  /// Lists the rooms that come next if none of them has any below it.
  func coming(_ count: Int) -> [RoomID] {
    var rooms: [RoomID] = []
    var listed: Set<RoomID> = []
    for place in queue.reversed() where !seen.contains(place.roomID) && listed.insert(place.roomID).inserted {
      guard rooms.count < count else { break }
      rooms.append(place.roomID)
    }
    return rooms
  }

  /// Puts the children of a room before all that is left.
  mutating func enter(_ children: [StoredEvent], depth: Int) {
    let room = SpaceService.greatestQueue - queue.count
    for child in children.prefix(max(room, 0)).reversed() {
      guard let id = child.stateKey else { continue }
      // No server's name is longer; what is written here is stored with each page.
      let via = child.content["via"]?.elements?.prefix(3).compactMap(\.string).filter { $0.utf8.count <= 255 } ?? []
      queue.append(Place(roomID: RoomID(unchecked: id), depth: depth, via: via))
    }
  }
}
