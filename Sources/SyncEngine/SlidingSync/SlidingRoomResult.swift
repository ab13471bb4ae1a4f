import MatrixPrimitives
import RoomServices
import Stores

/// What an answer says of one room.
struct SlidingRoomResult: Sendable {
  /// A member after whom the room is called.
  struct Hero: Sendable {
    let user: UserID
    let displayName: Text?
    let avatarURL: Text?
  }

  /// The newest events.
  struct Timeline: Sendable {
    var events: [ClientEvent]
    /// Whether older events between the points were left out.
    let isLimited: Bool
    /// The token from which older events are found.
    let previous: Text
    /// How many of the events have come since the client's token.
    let liveCount: Int
  }

  let id: RoomID
  /// Whether the client is to forget what it has of the room.
  let isInitial: Bool
  /// Whether the timeline reaches back beyond what has come, because the client wants a longer one.
  let isExpanded: Bool
  let isDirect: Bool
  var name: Text?
  var avatar: Text?
  var heroes: [Hero] = []
  var counts: SlidingRoomStore.MemberCounts?
  var requiredState: [ClientEvent] = []
  /// The timeline; nil when none is wanted or may be seen.
  var timeline: Timeline?
  /// The state that came with an invitation or a knock, and the membership event itself.
  var stripped: StoredEvent?
  var bumpStamp: Int64?

  /// Whether there is anything that a waiting client should be woken for.
  var isNews: Bool {
    isInitial || name != nil || avatar != nil || !heroes.isEmpty || counts != nil || !requiredState.isEmpty
      || timeline.map { !$0.events.isEmpty || $0.isLimited } ?? false || stripped != nil
  }
}

/// What of an answered room matters to extensions.
struct SlidingRoomNotice: Sendable {
  let id: RoomID
  /// Whether the room was sent as if the client had nothing of it.
  let isAnew: Bool
  /// The events of the timeline.
  let events: [EventID]

  init(_ room: SlidingRoomResult) {
    id = room.id
    isAnew = room.isInitial || room.isExpanded
    events = room.timeline?.events.map(\.stored.eventID) ?? []
  }
}
