import MatrixEvents
import MatrixPrimitives

/// A state group whose id has been taken from the sequence but whose rows are not written yet.
public struct NewStateGroup: Sendable, Hashable {
  /// The group's id.
  public let id: Int64
  /// The room's id.
  public let roomID: RoomID
  /// The event for which the group was made.
  public let eventID: EventID
  /// The group that this one changes; nil when ``state`` is complete.
  public let previous: Int64?
  /// The entries that differ from ``previous``, or all entries.
  public let state: StateMap

  /// Describes a group.
  public init(id: Int64, roomID: RoomID, eventID: EventID, previous: Int64?, state: StateMap) {
    self.id = id
    self.roomID = roomID
    self.eventID = eventID
    self.previous = previous
    self.state = state
  }
}
