import MatrixEvents
import MatrixPrimitives
import Stores

/// Decides whether a user may look into a room at all.
public struct RoomAccess: Sendable {
  /// Says with what right a user looks into a room.
  public enum Right: Sendable, Equatable {
    /// The user is joined.
    case member
    /// The user has left, by this event; state and history end there.
    case departed(EventID)
    /// Anyone may read the room.
    case peeking
  }

  private let storage: Storage

  init(storage: Storage) {
    self.storage = storage
  }

  /// Returns the right of a user.
  ///
  /// - Throws: `MatrixError` 403 when the user has none: never joined, banned, or forgotten.
  public func right(of user: UserID, in room: RoomID) async throws -> Right {
    if let member = try await storage.memberships.membership(of: user, in: room) {
      if member.membership == .join { return .member }
      if member.membership == .leave, try await !storage.memberships.didForget(user, room) {
        return .departed(member.eventID)
      }
    }
    if try await isWorldReadable(room) { return .peeking }
    throw MatrixError.forbidden("User \(user.rawValue) not in room \(room.rawValue), and room previews are disabled")
  }

  /// Requires a user to be joined.
  ///
  /// - Throws: `MatrixError` 403 otherwise.
  public func requireMember(_ user: UserID, in room: RoomID) async throws {
    guard try await storage.memberships.isJoined(user, in: room) else {
      throw MatrixError.forbidden("User \(user.rawValue) not in room \(room.rawValue)")
    }
  }

  /// Tells whether anyone may read the room as it is now.
  public func isWorldReadable(_ room: RoomID) async throws -> Bool {
    let event = try await storage.currentStateEvent(room, StateKey("m.room.history_visibility"))
    return event?.content["history_visibility"]?.string == "world_readable"
  }
}
