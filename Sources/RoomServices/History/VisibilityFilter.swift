import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Stores

/// The filter of the events that a user may not see, by the room's history visibility at each event.
///
/// https://spec.matrix.org/v1.16/client-server-api/#room-history-visibility
public final class VisibilityFilter: Sendable {
  /// An event with the reader's membership at it.
  public struct VisibleEvent: Sendable {
    /// The event.
    public let event: StoredEvent
    /// The reader's membership at the event.
    public let membership: Text
  }

  let stores: RoomStores
  let deactivations: DeactivationStore
  private let accountData: AccountDataStore
  private let state: StateService

  init(
    stores: RoomStores, accountData: AccountDataStore, deactivations: DeactivationStore, state: StateService
  ) {
    self.stores = stores
    self.accountData = accountData
    self.deactivations = deactivations
    self.state = state
  }

  /// Returns the events that the user may see, in the same order.
  ///
  /// - Parameters:
  ///   - right: the user's relation to the rooms: history that is shared among members is shown to members, to those who have left as far as
  ///     they were there, and not to others.
  ///   - appliesIgnores: whether messages of ignored users are left out.
  public func visible(
    _ events: [StoredEvent], to user: UserID, with right: RoomAccess.Right = .member, appliesIgnores: Bool = true
  ) async throws -> [VisibleEvent] {
    let candidates = events.filter { !$0.metadata.softFailed && !$0.isRejected }
    guard !candidates.isEmpty else { return [] }
    let open = right == .member ? try await openStretches(of: candidates, to: user) : [:]
    let states = try await states(at: candidates.filter { !Self.isOpen($0, open) }, user: user)
    let ignored = appliesIgnores ? try await accountData.data(of: user).ignoredUsers : []
    var result: [VisibleEvent] = []
    result.reserveCapacity(candidates.count)
    for event in candidates {
      if !event.event.isState, ignored.contains(event.sender) { continue }
      if Self.isOpen(event, open) {
        result.append(VisibleEvent(event: event, membership: "join"))
        continue
      }
      if event.isOutlier {
        // Out-of-band memberships (invites from elsewhere) are shown to the user they are about, nothing else is.
        if event.type == "m.room.member", event.stateKey == user.rawValue {
          result.append(VisibleEvent(event: event, membership: event.event.membership ?? "leave"))
        }
        continue
      }
      guard let state = states[event.eventID] else { continue }
      let isPeeking = right.isPeeking(at: event)
      if let membership = await membership(event, user: user, state: state, isPeeking: isPeeking) {
        result.append(VisibleEvent(event: event, membership: membership))
      }
    }
    return try await withoutErased(result)
  }

  // MARK: Rooms that show their members everything

  /// Finds for each room the position after which the user has been in it while it showed members all of its history, as it does still.
  private func openStretches(of events: [StoredEvent], to user: UserID) async throws -> [RoomID: Int64] {
    let rooms = Set(events.lazy.map(\.roomID))
    let open = try await stores.historyOpenness.openSince(Array(rooms))
    guard !open.isEmpty else { return [:] }
    var stretches: [RoomID: Int64] = [:]
    for room in try await stores.memberships.allRooms(for: user) where room.membership == .join {
      if let since = open[room.roomID] { stretches[room.roomID] = max(since, room.streamOrdering - 1) }
    }
    return stretches
  }

  /// Returns whether an event lies in such a stretch, so that no closer look is needed.
  private static func isOpen(_ event: StoredEvent, _ stretches: [RoomID: Int64]) -> Bool {
    guard let start = stretches[event.roomID] else { return false }
    return event.streamOrdering > start && !event.isOutlier && event.type != EventType.historyVisibility
  }

  private struct StateAtEvent {
    let visibility: StoredEvent?
    let membership: StoredEvent?
  }

  /// Reads the two state events that matter at each event; events of one state group share the work.
  private func states(at events: [StoredEvent], user: UserID) async throws -> [EventID: StateAtEvent] {
    let visibilityKey = StateKey("m.room.history_visibility")
    let memberKey = StateKey("m.room.member", user.rawValue)
    let groups = try await stores.state.stateGroups(of: events.lazy.filter { !$0.isOutlier }.map(\.eventID))
    var maps: [Int64: StateMap] = [:]
    for group in Set(groups.values) {
      let state = try await stores.state.snapshot(group: group)
      maps[group] = [visibilityKey: state[visibilityKey], memberKey: state[memberKey]].compactMapValues { $0 }
    }
    let needed = Set(maps.values.flatMap { [$0[visibilityKey], $0[memberKey]].compactMap { $0 } })
    let found = try await stores.events.events(Array(needed))
    return groups.mapValues { group in
      let map = maps[group] ?? [:]
      return StateAtEvent(
        visibility: map[visibilityKey].flatMap { found[$0] }, membership: map[memberKey].flatMap { found[$0] })
    }
  }

  /// Returns the user's membership at the event when the user may see it, nil when not.
  private func membership(_ event: StoredEvent, user: UserID, state: StateAtEvent, isPeeking: Bool) async -> Text? {
    let isOwn = event.type == EventType.member && event.stateKey == user.rawValue
    let isVisibility = event.type == EventType.historyVisibility && event.stateKey == ""
    let membership = isOwn ? event.event.membership : state.membership?.event.membership
    let replaced = isOwn || isVisibility ? await replaced(event) : nil
    let visibility = HistoryVisibility.effective(
      for: event.event, state: HistoryVisibility(state.visibility?.event),
      previous: isVisibility ? replaced.map { HistoryVisibility($0.event) } : nil)
    if visibility.allowsWithoutMembership(isPeeking: isPeeking) { return membership ?? "leave" }
    let decision = HistoryVisibility.decide(
      event.event, for: user, visibility: visibility, membershipAtEvent: membership,
      previousMembership: isOwn ? replaced?.event.membership : nil, isPeeking: isPeeking)
    return decision.isAllowed ? membership ?? "leave" : nil
  }

  private func replaced(_ event: StoredEvent) async -> StoredEvent? {
    guard let id = event.event.unsigned?["replaces_state"]?.string.flatMap({ EventID($0) }) else { return nil }
    // A failure to read what was before leaves the stricter reading, which is safe.
    return try? await stores.events.event(id)
  }
}

extension RoomAccess.Right {
  /// Returns whether an event is shown only if everyone may see it, or the user was joined or invited when it was sent.
  fileprivate func isPeeking(at event: StoredEvent) -> Bool {
    switch self {
    case .member: false
    case .departed(let departure): event.streamOrdering > departure.streamOrdering
    case .peeking: true
    }
  }
}
