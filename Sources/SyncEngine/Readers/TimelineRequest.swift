import MatrixPrimitives
import Stores

/// A room of which the newest events are wanted.
struct TimelineRequest: Sendable {
  /// How the user stands to the room, which decides what they see of it.
  enum View: Sendable, Hashable {
    /// In the room; the place is that of the membership event.
    case joined(at: Int64)
    /// In the room no more; the request ends where the stay ended.
    case departed
    /// Never in the room: nothing is seen but the farewell.
    case outside
  }

  let room: RoomID
  let view: View
  /// The point after which events count; nil for the beginning of the room.
  let after: RoomStreamToken?
  /// The point up to which events count.
  let upTo: RoomStreamToken
  /// The greatest number of events.
  let limit: Int
  /// An event that comes last although it lies beyond the user's view: the end of an invitation, a knock or a ban.
  var farewell: EventID?
}
