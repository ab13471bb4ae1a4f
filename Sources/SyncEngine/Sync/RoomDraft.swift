import MatrixPrimitives
import Stores

/// A room of a sync while its parts are being collected.
struct RoomDraft: Sendable {
  let id: RoomID
  /// Whether the client gets the whole state, not only what changed.
  let isFull: Bool
  /// Whether the user is in the room; false for rooms the user has left.
  let isJoined: Bool
  /// The point where the timeline begins; nil at the beginning of the room, for a client that has not seen it.
  let after: RoomStreamToken?
  /// The point where the user's view ends.
  let end: RoomStreamToken
  /// For a room the user has left: the event after which the user sees nothing; nil for users who were never joined.
  var departure: EventID?
  /// For a room the user has left by another event than ``departure``: that event, which is shown nevertheless.
  var farewell: EventID?

  /// The timeline; empty until it is read.
  var timeline: RoomTimeline
  /// The events of the state section that are at hand.
  var stateEntries: [RoomStateEvents.Entry] = []
  /// The other events of the state section.
  var stateIDs: [EventID] = []

  init(id: RoomID, isFull: Bool, isJoined: Bool, after: RoomStreamToken?, end: RoomStreamToken) {
    self.id = id
    self.isFull = isFull
    self.isJoined = isJoined
    self.after = after
    self.end = end
    timeline = RoomTimeline(previous: after ?? end)
  }
}
