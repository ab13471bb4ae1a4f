import MatrixEvents
import MatrixPrimitives

/// The events of a room's current state, ready to be written.
public final class RoomStateEvents: Sendable {
  /// An event with the one it replaced, whose content clients are shown.
  public struct Entry: Sendable {
    /// The event.
    public let event: StoredEvent
    /// The state event that it replaced; nil when there is none or it is not stored.
    public let replaced: StoredEvent?
  }

  /// All entries, those that are no memberships first.
  public let entries: [Entry]
  private let memberStart: Int

  init(_ entries: [Entry]) {
    let members = entries.filter { $0.event.type == EventType.member }
    let others = entries.filter { $0.event.type != EventType.member }
    self.entries = others + members
    memberStart = others.count
  }

  /// The membership events.
  public var members: ArraySlice<Entry> { entries[memberStart...] }

  /// The estimated memory, in bytes: events are often those of the event cache, but may outlive their place there.
  var weight: Int { entries.reduce(256) { $0 + $1.event.weight + ($1.replaced?.weight ?? 0) } }
}

extension StateStore {
  /// Reads the events of a room's current state, from the cache if they are there.
  public func currentEvents(_ room: RoomID, _ events: EventStore) async throws -> RoomStateEvents {
    try await currentEvents.value(room) { [self] in
      let ids = Array(try await currentSnapshot(room).map.values)
      let state = try await events.orderedEvents(ids)
      let replaced = try await events.events(state.compactMap(\.replacedEventID))
      return RoomStateEvents(
        state.map { event in
          RoomStateEvents.Entry(event: event, replaced: event.replacedEventID.flatMap { replaced[$0] })
        })
    }
  }
}
