import MatrixPrimitives
import Stores

/// The rooms that a sync looks at, and why.
struct RoomChanges: Sendable {
  /// A room the user left since the last sync, or has left.
  struct Left: Sendable {
    let room: RoomID
    /// The newest membership event.
    let eventID: EventID
    /// The event by which the user was last joined no more, where their view of the room ends. Another one than the newest when the user has
    /// been invited since, or has knocked; nil when the user never was joined and sees nothing but the newest event.
    var departure: EventPosition?
    /// Whether the user joined in the same span, so that the client has never seen the room.
    let isNewlyJoined: Bool
  }

  /// The rooms the user is in.
  var joined: Set<RoomID> = []
  /// The joined rooms that the client has not seen, or must see anew.
  var newlyJoined: Set<RoomID> = []
  /// The joined rooms with something to send.
  var toSend: [RoomID] = []
  var left: [Left] = []
  var newlyLeft: Set<RoomID> = []
  var invites: [EventID] = []
  var knocks: [EventID] = []
  /// The user's account data of rooms.
  var accountData = AccountDataReader.OfRooms()
  var typing: [RoomID: [UserID]] = [:]
  var receipts: [RoomID: [Receipt]] = [:]
  /// The rooms that may have new events.
  var withEvents: Set<RoomID> = []
  var ignoredUsers: Set<UserID> = []
}
