import MatrixEvents
import MatrixPrimitives
import Stores

/// A room of a sliding sync while its parts are being collected.
struct SlidingRoomDraft: Sendable {
  let membership: RoomForUser
  /// What the client wants.
  let config: SlidingRoomConfig
  /// What it has; nil for a room that it has not been sent.
  let previousConfig: SlidingRoomConfig?
  /// The point up to which the client has the room; nil when it is sent the whole room.
  let from: RoomStreamToken?
  /// Whether ``from`` is older than the client's token.
  let isBehind: Bool
  /// Whether a longer timeline is wanted than the client has, so that it is sent again.
  let isExpanded: Bool
  let isNewlyLeft: Bool
  /// Where the user's view of the room ended; nil while it has not, and for users who never had one.
  var departure: EventPosition?

  /// The timeline; nil when none is wanted or may be seen.
  var timeline: RoomTimeline?
  /// The changes of state since ``from``, newest only.
  var deltas: StateMap = [:]
  /// The state that was read: what is wanted of a room that is sent whole.
  var state: StateMap = [:]
  /// What is sent of the state.
  var sentState: [EventID] = []
  /// The room's picture, where the client is told.
  var avatar: EventID?
  var membershipChanged = false
  var nameChanged = false
  var avatarChanged = false

  init(
    membership: RoomForUser, config: SlidingRoomConfig, previousConfig: SlidingRoomConfig?, from: RoomStreamToken?,
    isBehind: Bool, isNewlyLeft: Bool
  ) {
    self.membership = membership
    self.config = config
    self.previousConfig = previousConfig
    self.from = from
    self.isBehind = isBehind
    self.isNewlyLeft = isNewlyLeft
    isExpanded = from != nil && previousConfig.map { $0.timelineLimit < config.timelineLimit } ?? false
  }

  var id: RoomID { membership.roomID }
  var isInitial: Bool { from == nil }
  var isJoined: Bool { membership.membership == .join }
  /// Whether the user sees no more than what came with an invitation or a knock.
  var isStripped: Bool { membership.membership == .invite || membership.membership == .knock }
  /// Whether the user has left the room or was put out of it.
  var isOutside: Bool { !isJoined && !isStripped }
  /// Whether the user sees the room's state, now or as it was.
  var seesState: Bool { isJoined || departure != nil }
  /// Whether a timeline is wanted and may be seen.
  var hasTimeline: Bool { config.timelineLimit > 0 && !isStripped }
  /// Whether the room's name is read.
  var needsName: Bool { isInitial || nameChanged }
  /// Whether members are counted, and those found after whom the room may be called.
  var needsMembers: Bool { isJoined && (isInitial || membershipChanged) }

  /// The point where the user's view ends.
  func end(_ now: StreamToken) -> RoomStreamToken {
    isOutside ? RoomStreamToken(stream: departure?.streamOrdering ?? membership.streamOrdering) : now.room
  }
}

/// The state that is wanted of a room, and of whose memberships it tells.
struct SlidingStateChoice: Sendable {
  /// The wanted entries.
  private(set) var filter = StateFilter.none
  /// Members who are asked for by name.
  private(set) var explicit: Set<Text> = []
  /// Members whom the timeline mentions, but for those asked for by name.
  private(set) var lazy: Set<Text> = []
  /// Whether members are loaded lazily.
  let isLazy: Bool

  /// Makes a choice that wants nothing.
  init() { isLazy = false }

  /// Works out what is wanted of a room whose timeline and changes are known.
  init(_ draft: SlidingRoomDraft, user: UserID) {
    let wanted = draft.config.requiredState
    isLazy = wanted.isLazy
    // Choices of a state key of any type get everything, as on Synapse: that is allowed, and simpler.
    guard wanted.keys[SlidingRequiredState.wildcard] == nil else {
      filter = .all
      return
    }
    var types: [Text: Set<Text>?] = [:]
    for (type, stateKeys) in wanted.keys where !type.contains(0) {
      if stateKeys.contains(SlidingRequiredState.wildcard) {
        types[type] = .some(nil)
        continue
      }
      var keys = stateKeys.filter { !$0.contains(0) }
      if keys.remove(SlidingRequiredState.me) != nil { keys.insert(user.rawValue) }
      if type == EventType.member {
        keys.remove(SlidingRequiredState.lazy)
        explicit = keys
      }
      types[type] = .some(keys)
    }
    if isLazy { addLazyMembers(of: draft, to: &types) }
    filter = StateFilter(types: types)
  }

  /// Adds the members whom the timeline mentions; where it has no gap, also all whose membership has changed, so that clients with all members
  /// can keep them up to date.
  private mutating func addLazyMembers(of draft: SlidingRoomDraft, to types: inout [Text: Set<Text>?]) {
    for entry in draft.timeline?.entries ?? [] {
      lazy.insert(entry.event.sender.rawValue)
      if entry.event.type == EventType.member, let subject = entry.event.stateKey { lazy.insert(subject) }
    }
    if draft.isInitial || draft.timeline?.isLimited ?? false {
      if case .some(.some(let keys)) = types[EventType.member] { types[EventType.member] = .some(keys.union(lazy)) }
    } else {
      types[EventType.member] = .some(nil)
      for key in draft.deltas.keys where key.type == EventType.member { lazy.insert(key.stateKey) }
    }
    lazy.subtract(explicit)
  }
}
