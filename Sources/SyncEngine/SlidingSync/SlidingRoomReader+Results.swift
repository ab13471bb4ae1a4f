import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension SlidingRoomReader {
  /// The greatest number of members after whom a room is called.
  private static let mostHeroes = 5

  /// Makes results of drafts, loading all events together.
  func results(_ drafts: [SlidingRoomDraft]) async throws -> [SlidingRoomResult] {
    let state = try await events(drafts.flatMap(\.sentState))
    let named = try await named(drafts)
    let timelines = try await timelineEvents(drafts)
    var results: [SlidingRoomResult] = []
    for draft in drafts {
      var room = SlidingRoomResult(
        id: draft.id, isInitial: draft.isInitial, isExpanded: draft.isExpanded,
        isDirect: window.direct.contains(draft.id))
      room.requiredState = draft.sentState.compactMap { state[$0] }
      room.name =
        draft.needsName ? named[draft.state[StateKey(EventType.name)]].flatMap { $0.content["name"]?.string } : nil
      room.avatar = avatar(draft, named)
      room.timeline = try await timeline(draft, timelines)
      if draft.isStripped { room.stripped = named[draft.membership.eventID] }
      results.append(room)
    }
    try await addMembers(drafts, to: &results)
    try await addBumpStamps(drafts, to: &results)
    return results
  }

  // MARK: Events

  private func events(_ ids: [EventID]) async throws -> [EventID: ClientEvent] {
    guard !ids.isEmpty else { return [:] }
    let prepared = try await service.rooms.serializer.prepare(
      service.stores.events.orderedEvents(ids), for: user, bundles: false)
    return Dictionary(prepared.map { ($0.stored.eventID, $0) }) { first, _ in first }
  }

  /// Loads the events that rooms are called by, and those that invited the user.
  private func named(_ drafts: [SlidingRoomDraft]) async throws -> [EventID: StoredEvent] {
    var ids: [EventID] = []
    for draft in drafts {
      if draft.needsName, let id = draft.state[StateKey(EventType.name)] { ids.append(id) }
      if let id = draft.avatar { ids.append(id) }
      if draft.isStripped { ids.append(draft.membership.eventID) }
    }
    return try await service.stores.events.events(ids)
  }

  private func avatar(_ draft: SlidingRoomDraft, _ events: [EventID: StoredEvent]) -> Text? {
    events[draft.avatar].flatMap { $0.content["url"]?.string }
  }

  /// Prepares the events of timelines. Clients with a timeline without gaps have seen all edits and reactions; others get them with the events.
  private func timelineEvents(_ drafts: [SlidingRoomDraft]) async throws -> [EventID: ClientEvent] {
    var found: [EventID: ClientEvent] = [:]
    for isLimited in [false, true] {
      let entries = drafts.compactMap(\.timeline).filter { $0.isLimited == isLimited }.flatMap(\.entries)
      guard !entries.isEmpty else { continue }
      let memberships = Dictionary(entries.map { ($0.event.eventID, $0.membership) }) { first, _ in first }
      let prepared = try await service.rooms.serializer.prepare(
        entries.map(\.event), for: user, memberships: memberships, bundles: isLimited)
      for event in prepared { found[event.stored.eventID] = event }
    }
    return found
  }

  private func timeline(
    _ draft: SlidingRoomDraft, _ events: [EventID: ClientEvent]
  ) async throws -> SlidingRoomResult.Timeline? {
    guard let timeline = draft.timeline else { return nil }
    var live = 0
    if let from {
      for entry in timeline.entries.reversed() {
        if from.room.position.covers(entry.event.streamOrdering, instance: entry.event.instanceName) { break }
        live += 1
      }
    }
    let previous = try await now.replacingRoom(timeline.previous).text(directory: service.stores.instances)
    return SlidingRoomResult.Timeline(
      events: timeline.entries.compactMap { events[$0.event.eventID] }, isLimited: timeline.isLimited,
      previous: previous, liveCount: live)
  }

  // MARK: Members

  /// Adds the numbers of members, and after whom a room without a name is called.
  private func addMembers(_ drafts: [SlidingRoomDraft], to results: inout [SlidingRoomResult]) async throws {
    let counted = drafts.indices.filter { drafts[$0].needsMembers }
    guard !counted.isEmpty else { return }
    let counts = try await service.slidingRooms.memberCounts(counted.map { drafts[$0].id })
    let nameless = counted.filter { results[$0].name?.isEmpty ?? true }
    let members = try await service.slidingRooms.namingMembers(of: nameless.map { drafts[$0].id })
    let heroes = members.mapValues(heroes)
    let events = try await service.stores.events.events(heroes.values.flatMap { $0.map(\.eventID) })
    for index in counted {
      results[index].counts = counts[drafts[index].id]
      results[index].heroes = (heroes[drafts[index].id] ?? []).compactMap { hero in
        guard let content = events[hero.eventID]?.content else { return nil }
        return SlidingRoomResult.Hero(
          user: hero.user, displayName: content["displayname"]?.string, avatarURL: content["avatar_url"]?.string)
      }
    }
  }

  private func heroes(_ members: [SlidingRoomStore.NamingMember]) -> [SlidingRoomStore.NamingMember] {
    let others = members.filter { $0.user != user }
    let present = others.filter { $0.membership == "join" || $0.membership == "invite" }
    let gone = others.filter { $0.membership == "leave" } + others.filter { $0.membership == "ban" }
    return Array((present.isEmpty ? gone : present).prefix(Self.mostHeroes))
  }

  // MARK: Order

  /// Adds the numbers by which clients order rooms, where they may have changed.
  private func addBumpStamps(_ drafts: [SlidingRoomDraft], to results: inout [SlidingRoomResult]) async throws {
    let joined = drafts.filter(\.isJoined).map(\.id)
    let rooms = try await service.slidingRooms.rooms(joined)
    for (index, draft) in drafts.enumerated() {
      let isAlwaysTold = !draft.isJoined || draft.isInitial || draft.timeline?.isLimited ?? true
      var stamp: Int64?
      if draft.isJoined {
        stamp =
          draft.timeline?.entries.last { $0.event.streamOrdering > 0 && SlidingSyncTables.isBump($0.event.type) }?
          .event.streamOrdering
        if stamp == nil, isAlwaysTold { stamp = try await storedBumpStamp(draft, rooms[draft.id]) }
      }
      if stamp == nil, isAlwaysTold { stamp = draft.membership.streamOrdering }
      // Places before the beginning are those of fetched history; they compare with nothing.
      results[index].bumpStamp = stamp.map { max($0, 0) }
    }
  }

  private func storedBumpStamp(_ draft: SlidingRoomDraft, _ room: SlidingRoomStore.Room?) async throws -> Int64? {
    guard let stored = room?.bumpStamp else { return nil }
    guard stored > now.room.stream else { return stored > 0 ? stored : nil }
    // The table is ahead of what this answer tells.
    let last = try await service.stores.events.lastEvent(
      roomID: draft.id, upTo: now.room, types: SlidingSyncTables.bumps)
    return last.flatMap { $0.streamOrdering > 0 ? $0.streamOrdering : nil }
  }
}

extension Dictionary {
  /// Returns the value of a key that there may be none of.
  fileprivate subscript(_ key: Key?) -> Value? { key.flatMap { self[$0] } }
}
