import MatrixEvents
import MatrixPrimitives
import Stores

/// The newest events of a room between two points, as one user sees them.
struct RoomTimeline: Sendable {
  /// An event together with the reader's membership at it.
  struct Entry: Sendable {
    let event: StoredEvent
    let membership: Text
  }

  /// The events, oldest first.
  var entries: [Entry] = []
  /// Whether older events between the points were left out.
  var isLimited = false
  /// The point from which older events are found.
  var previous: RoomStreamToken

  /// Makes an empty timeline that ends at a point.
  init(previous: RoomStreamToken) { self.previous = previous }
}

// MARK: State

extension RoomTimeline {
  /// The users whose memberships a client needs that loads members lazily: the senders.
  var senders: Set<Text> {
    var (senders, seen) = (Set<Text>(), Set<Text>())
    for entry in entries {
      // A membership event in the timeline also serves the client for what its subject sends later.
      if !seen.contains(entry.event.sender.rawValue) { senders.insert(entry.event.sender.rawValue) }
      if entry.event.type == EventType.member, let key = entry.event.stateKey { seen.insert(key) }
    }
    return senders
  }

  /// The membership events, by their subjects; oldest first.
  var members: [(user: Text, eventID: EventID)] {
    entries.compactMap { entry in
      guard entry.event.type == EventType.member, let user = entry.event.stateKey else { return nil }
      return (user, entry.event.eventID)
    }
  }

  /// Returns the state before the timeline: each of its state events gives way to what it replaced.
  ///
  /// - Parameter end: the state after the timeline, or the entries of it that are wanted.
  func stateBefore(_ end: StateMap) -> StateMap {
    var state = end
    for entry in entries.reversed() {
      guard let key = entry.event.event.key, state[key] == entry.event.eventID else { continue }
      state[key] = entry.event.replacedEventID
    }
    return state
  }

  /// Returns the changed state that the timeline does not show, and what the timeline's own state events replaced when the client has not
  /// seen that either.
  ///
  /// - Parameter deltas: the changes of the room's state since the client's last answer, in stream order.
  func unshownChanges(_ deltas: [StateDelta]) -> StateMap {
    let shown = Set(entries.map(\.event.eventID))
    var chosen: StateMap = [:]
    var known: [StateKey: EventID?] = [:]
    for delta in deltas {
      if known[delta.key] == nil { known[delta.key] = .some(delta.previousEventID) }
      // The removal of an entry cannot be expressed to clients; they keep what they have.
      guard let id = delta.eventID else { continue }
      chosen[delta.key] = id
    }
    for (key, id) in chosen where shown.contains(id) {
      let replaced = entries.first { $0.event.event.key == key }?.event.replacedEventID
      let seen = known[key].flatMap { $0 }
      chosen[key] = replaced.flatMap { $0 == seen || shown.contains($0) ? nil : $0 }
    }
    return chosen
  }
}
