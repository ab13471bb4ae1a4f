import MatrixEvents
import MatrixPrimitives
import Stores

/// The decision whether a user may read a room at all.
public struct RoomAccess: Sendable {
  /// The right with which a user reads a room.
  public enum Right: Sendable, Equatable {
    /// The user is joined.
    case member
    /// The user was joined until this event; state and history end there.
    case departed(EventPosition)
    /// Anyone may read the room.
    case peeking
  }

  private let stores: RoomStores

  init(stores: RoomStores) {
    self.stores = stores
  }

  /// Returns the right of a user, as of now: what others or the user have stored through other processes is waited for.
  ///
  /// Who was invited or knocked and never joined has the right of a stranger, also when they have declined or been refused since.
  /// - Parameter includesPast: whether having been joined counts; false for what is shown only as it is now.
  /// - Throws: `MatrixError` 403 when the user has none: never joined, banned, or forgotten.
  public func right(of user: UserID, in room: RoomID, includesPast: Bool = true) async throws -> Right {
    try await stores.barrier.pass(room: room)
    if let member = try await stores.memberships.membership(of: user, in: room) {
      if member.membership == .join { return .member }
      if includesPast, member.membership == .leave, try await !stores.memberships.didForget(user, room),
        let departure = try await stores.memberships.departure(of: user, from: room)
      {
        return .departed(departure)
      }
    }
    if try await isWorldReadable(room) { return .peeking }
    throw MatrixError.forbidden("User \(user.rawValue) not in room \(room.rawValue), and room previews are disabled")
  }

  /// Returns the right by which a user of this server sees single events, for many rooms at once: of rooms that are not theirs to read,
  /// what everyone may see.
  ///
  /// Cost: nothing but the user's list of rooms while the user is in all of them; else one statement.
  func rights(of user: UserID, in rooms: Set<RoomID>) async throws -> [RoomID: Right] {
    var rights: [RoomID: Right] = [:]
    for room in try await stores.memberships.allRooms(for: user)
    where room.membership == .join && rooms.contains(room.roomID) { rights[room.roomID] = .member }
    let others = rooms.filter { rights[$0] == nil }
    for (room, departure) in try await stores.memberships.departures(of: user, from: Array(others)) {
      rights[room] = .departed(departure)
    }
    for room in others where rights[room] == nil { rights[room] = .peeking }
    return rights
  }

  /// Returns whether a user is joined. If the user seems not to be, what other processes may have stored just now is
  /// waited for.
  public func isMember(_ user: UserID, of room: RoomID) async throws -> Bool {
    if try await stores.memberships.isJoined(user, in: room) { return true }
    try await stores.barrier.pass(room: room)
    return try await stores.memberships.isJoined(user, in: room)
  }

  /// Requires a user to be joined.
  ///
  /// - Throws: `MatrixError` 403 otherwise.
  public func requireMember(_ user: UserID, in room: RoomID) async throws {
    guard try await isMember(user, of: room) else {
      throw MatrixError.forbidden("User \(user.rawValue) not in room \(room.rawValue)")
    }
  }

  /// Returns whether anyone may read the room as it is now.
  public func isWorldReadable(_ room: RoomID) async throws -> Bool {
    let event = try await stores.currentStateEvent(room, StateKey("m.room.history_visibility"))
    return event?.content["history_visibility"]?.string == "world_readable"
  }
}
