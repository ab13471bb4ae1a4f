import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// Everything a `/sync` response says, before it is written.
struct SyncResult: Sendable {
  /// An event that has only a type and a content: account data.
  struct Item: Sendable {
    let type: Text
    let content: [UInt8]
  }

  /// The timeline of a room.
  struct Timeline: Sendable {
    var events: [ClientEvent] = []
    var isLimited = false
    var previous: RoomStreamToken
  }

  /// A room the user is in, or has left.
  struct Room: Sendable {
    let id: RoomID
    var timeline: Timeline
    /// The current state of the room as it is kept in memory, for rooms that are sent whole.
    var wholeState: [RoomStateEvents.Entry] = []
    /// The rest of the state section.
    var state: [ClientEvent] = []
    var accountData: [Item] = []
    var ephemeral: [[UInt8]] = []
    var counts = RoomNotificationCounts()
    var summary: RoomSummary?

    var isEmpty: Bool {
      timeline.events.isEmpty && wholeState.isEmpty && state.isEmpty && accountData.isEmpty && ephemeral.isEmpty
    }
  }

  /// A room the user is invited to, or knocks at: the membership event.
  struct Stripped: Sendable {
    let id: RoomID
    let event: StoredEvent
  }

  var nextBatch: StreamToken
  /// The user's relations to rooms at ``nextBatch``.
  var memberships: [RoomForUser] = []
  var accountData: [Item] = []
  var presence: [PresenceState] = []
  var toDevice: [[UInt8]] = []
  var joined: [Room] = []
  var invited: [Stripped] = []
  var knocked: [Stripped] = []
  var left: [Room] = []
  var changedDeviceLists: Set<UserID> = []
  var leftDeviceLists: Set<UserID> = []
  var oneTimeKeyCounts: [Text: Int] = [:]
  var unusedFallbackKeys: [Text] = []

  init(nextBatch: StreamToken) { self.nextBatch = nextBatch }

  /// Whether there is nothing that a waiting client should be woken for.
  var isEmpty: Bool {
    accountData.isEmpty && presence.isEmpty && toDevice.isEmpty && joined.isEmpty && invited.isEmpty
      && knocked.isEmpty && left.isEmpty && changedDeviceLists.isEmpty && leftDeviceLists.isEmpty
  }
}
