import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension SyncComputation {
  /// Adds the rooms of all kinds to a result.
  func addRooms(
    _ changes: RoomChanges, _ memberships: [RoomForUser], _ now: StreamToken, to result: inout SyncResult
  ) async throws {
    guard !filter.blocksAllRooms else { return }
    if filter.lazyLoadMembers {
      service.lazyMembers.with(user, request.requester.deviceID) { $0.start(since: since?.room.position) }
    }
    try await addStripped(changes, to: &result)
    var drafts = drafts(changes, now)
    guard !drafts.isEmpty else { return }
    try await fillTimelines(&drafts, changes, memberships)
    try await fillStates(&drafts, now)
    let rooms = try await assemble(drafts, changes)
    for (draft, room) in zip(drafts, rooms) where draft.isFull || !room.isEmpty {
      if draft.isJoined { result.joined.append(room) } else { result.left.append(room) }
    }
    try await addSummaries(drafts, to: &result)
    try await addCounts(to: &result)
  }

  private func drafts(_ changes: RoomChanges, _ now: StreamToken) -> [RoomDraft] {
    var drafts = changes.toSend.map { room in
      let isNew = changes.newlyJoined.contains(room)
      return RoomDraft(
        id: room, isFull: isFull || isNew, isJoined: true, after: isNew ? nil : since?.room, end: now.room)
    }
    for left in changes.left where filter.passes(room: left.room) {
      var draft = RoomDraft(
        id: left.room, isFull: isFull || (left.isNewlyJoined && left.departure != nil), isJoined: false,
        after: left.isNewlyJoined ? nil : since?.room,
        end: left.departure.map { RoomStreamToken(stream: $0.streamOrdering) } ?? now.room)
      draft.departure = left.departure?.eventID
      if draft.departure != left.eventID { draft.farewell = left.eventID }
      drafts.append(draft)
    }
    return drafts
  }

  // MARK: Timelines

  /// Fills the timelines of the rooms that may have something to show.
  private func fillTimelines(
    _ drafts: inout [RoomDraft], _ changes: RoomChanges, _ memberships: [RoomForUser]
  ) async throws {
    let shown = drafts.indices.filter { index in
      let draft = drafts[index]
      return !draft.isJoined || draft.isFull || changes.withEvents.contains(draft.id)
    }
    guard !shown.isEmpty else { return }
    let rooms = Set(shown.map { drafts[$0].id })
    var joinedAt: [RoomID: Int64] = [:]
    for room in memberships where rooms.contains(room.roomID) { joinedAt[room.roomID] = room.streamOrdering }
    let timelines = try await readers.timelines.timelines(
      shown.map { timelineRequest(drafts[$0], joinedAt) },
      for: TimelineReader.Viewer(user: user, ignoredUsers: changes.ignoredUsers), filter: filter.timeline)
    for (index, timeline) in zip(shown, timelines) { drafts[index].timeline = timeline }
  }

  private func timelineRequest(_ draft: RoomDraft, _ joinedAt: [RoomID: Int64]) -> TimelineRequest {
    let view: TimelineRequest.View =
      if !draft.isJoined { draft.departure == nil ? .outside : .departed } else {
        .joined(at: joinedAt[draft.id] ?? .max)
      }
    return TimelineRequest(
      room: draft.id, view: view, after: draft.after, upTo: draft.end, limit: filter.timeline.limit,
      farewell: draft.farewell)
  }

  // MARK: Invites and knocks

  /// Adds invitations and knocks, whatever rooms the filter names (as on Synapse): a client cannot name rooms that it does not know yet.
  private func addStripped(_ changes: RoomChanges, to result: inout SyncResult) async throws {
    let events = try await stores.events.events(changes.invites + changes.knocks)
    for id in changes.invites {
      guard let event = events[id] else { continue }
      guard !changes.ignoredUsers.contains(event.sender) else { continue }
      result.invited.append(SyncResult.Stripped(id: event.roomID, event: event))
    }
    for id in changes.knocks {
      guard let event = events[id] else { continue }
      result.knocked.append(SyncResult.Stripped(id: event.roomID, event: event))
    }
  }

  // MARK: Assembling

  /// Makes rooms of drafts, loading all their events together.
  private func assemble(_ drafts: [RoomDraft], _ changes: RoomChanges) async throws -> [SyncResult.Room] {
    let stateEvents = try await stores.events.events(drafts.flatMap(\.stateIDs))
    let states = drafts.map { draft in draft.stateIDs.compactMap { stateEvents[$0] }.filter(isWantedState) }
    let clientStates = try await client(states.flatMap { $0 }, [:], bundles: false)
    // Clients with a timeline without gaps have seen all edits and reactions; others get them with the events.
    let complete = try await timeline(drafts.filter { !$0.timeline.isLimited && !$0.isFull }, bundles: false)
    let gappy = try await timeline(drafts.filter { $0.timeline.isLimited || $0.isFull }, bundles: true)
    let timelines = complete.merging(gappy) { a, _ in a }
    return drafts.indices.map { index in
      let draft = drafts[index]
      var room = SyncResult.Room(
        id: draft.id,
        timeline: SyncResult.Timeline(
          events: draft.timeline.entries.compactMap { timelines[$0.event.eventID] },
          isLimited: draft.timeline.isLimited || (draft.isFull && since != nil && !isFull),
          previous: draft.timeline.previous))
      room.wholeState = wanted(draft.stateEntries)
      room.state = states[index].compactMap { clientStates[$0.eventID] }
      room.accountData = accountData(of: draft.id, changes)
      if draft.isJoined { room.ephemeral = ephemeral(of: draft.id, changes) }
      return room
    }
  }

  /// Leaves out what the filter does not pass; mostly that is nothing, and then nothing is copied.
  private func wanted(_ entries: [RoomStateEvents.Entry]) -> [RoomStateEvents.Entry] {
    entries.allSatisfy { isWantedState($0.event) } ? entries : entries.filter { isWantedState($0.event) }
  }

  private func isWantedState(_ event: StoredEvent) -> Bool {
    guard event.type != "m.room.aliases" else { return false }
    return filter.state.passesAll
      || filter.state.passes(
        type: event.type, sender: event.sender.rawValue, room: event.roomID.rawValue, content: event.content)
  }

  private func timeline(_ drafts: [RoomDraft], bundles: Bool) async throws -> [EventID: ClientEvent] {
    let shown = drafts.flatMap(\.timeline.entries)
    let memberships = Dictionary(shown.map { ($0.event.eventID, $0.membership) }, uniquingKeysWith: { a, _ in a })
    return try await client(shown.map(\.event), memberships, bundles: bundles)
  }

  private func client(
    _ events: [StoredEvent], _ memberships: [EventID: Text], bundles: Bool
  ) async throws -> [EventID: ClientEvent] {
    guard !events.isEmpty else { return [:] }
    let prepared = try await service.rooms.serializer.prepare(
      events, for: user, memberships: memberships, bundles: bundles)
    return Dictionary(prepared.map { ($0.stored.eventID, $0) }, uniquingKeysWith: { a, _ in a })
  }

  // MARK: What is not events

  private func accountData(of room: RoomID, _ changes: RoomChanges) -> [SyncResult.Item] {
    let wanted = filter.roomAccountData
    var items = changes.accountData.entries[room].map { Self.items($0, wanted, room: room.rawValue) } ?? []
    if let tags = changes.accountData.tags[room],
      wanted.passes(type: "m.tag", sender: nil, room: room.rawValue, content: nil)
    {
      var writer = JSONWriter(capacity: 64)
      writer.beginObject()
      writer.key("tags" as StaticString)
      writer.beginObject()
      for (tag, content) in tags.tags {
        writer.key(tag)
        writer.raw(content)
      }
      writer.endObject()
      writer.endObject()
      items.append(SyncResult.Item(type: "m.tag", content: writer.bytes))
    }
    return items
  }

  private func ephemeral(of room: RoomID, _ changes: RoomChanges) -> [[UInt8]] {
    guard filter.ephemeral.passes(room: room.rawValue) else { return [] }
    var events: [[UInt8]] = []
    if let typing = changes.typing[room] {
      var writer = JSONWriter(capacity: 64)
      writer.beginObject()
      writer.member("type", "m.typing")
      writer.key("content" as StaticString)
      writer.beginObject()
      writer.member("user_ids", strings: typing.map(\.rawValue))
      writer.endObject()
      writer.endObject()
      events.append(writer.bytes)
    }
    if let receipts = changes.receipts[room], let event = ReceiptContent.event(receipts, for: user) {
      events.append(event)
    }
    return events
  }

  private func addCounts(to result: inout SyncResult) async throws {
    guard service.settings.countsNotifications, !result.joined.isEmpty else { return }
    let counts = try await stores.notificationCounts.counts(of: user, in: result.joined.map(\.id))
    for index in result.joined.indices { result.joined[index].counts = counts[result.joined[index].id] ?? .init() }
  }

  // MARK: Summaries

  /// Adds what clients with lazily loaded members cannot work out themselves: the room's size and whom to name it after.
  private func addSummaries(_ drafts: [RoomDraft], to result: inout SyncResult) async throws {
    guard filter.lazyLoadMembers else { return }
    let full = Set(drafts.filter { $0.isFull }.map(\.id))
    let wanted = result.joined.indices.filter { index in
      let room = result.joined[index]
      return full.contains(room.id) || room.timeline.events.contains { $0.stored.type == "m.room.member" }
        || (room.timeline.isLimited && room.state.contains { $0.stored.type == "m.room.member" })
    }
    guard !wanted.isEmpty else { return }
    let summaries = try await readers.summaries.summaries(of: wanted.map { result.joined[$0].id }, for: user)
    for index in wanted { result.joined[index].summary = summaries[result.joined[index].id] }
    try await addHeroes(wanted, to: &result)
  }

  /// Adds the membership events of heroes that the client may not have.
  private func addHeroes(_ rooms: [Int], to result: inout SyncResult) async throws {
    let requests = rooms.compactMap { index -> RoomStateReader.Request? in
      let room = result.joined[index]
      guard let heroes = room.summary?.heroes, !heroes.isEmpty else { return nil }
      let known = request.stateForm.isAfter ? room.state : room.state + room.timeline.events
      let present = Set(
        known.filter { $0.stored.type == EventType.member }.compactMap(\.stored.stateKey))
      let keys = heroes.filter { !present.contains($0.rawValue) }.map { StateKey(EventType.member, $0.rawValue) }
      return keys.isEmpty ? nil : RoomStateReader.Request(room: room.id, filter: .keys(keys))
    }
    let states = try await readers.states.states(requests)
    let position = result.nextBatch.room.position
    var missing: [RoomID: [EventID]] = [:]
    service.lazyMembers.with(user, request.requester.deviceID) { cache in
      for (room, state) in states {
        for (key, id) in state where !cache.wasSent(room, key.stateKey, id.rawValue) {
          cache.markSent(room, key.stateKey, id.rawValue, at: position)
          missing[room, default: []].append(id)
        }
      }
    }
    let events = try await client(stores.events.orderedEvents(missing.values.flatMap { $0 }), [:], bundles: false)
    for index in rooms {
      result.joined[index].state += (missing[result.joined[index].id] ?? []).compactMap { events[$0] }
    }
  }
}
