import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension EventStreamService {
  /// Reads what happened between a token and now.
  ///
  /// - Returns: the body of the answer, and whether it has anything to say.
  func chunk(_ query: Query, _ scope: Scope, from: StreamToken) async throws -> (body: [UInt8], isNews: Bool) {
    let now = sync.tokens.current()
    var end = now
    var writer = JSONWriter(capacity: 1024)
    writer.beginArray()
    let empty = writer.bytes.count
    let room = try await events(query, scope, from: from, now: now)
    end.room = room.end
    let options = ClientEventOptions(
      query.isRaw ? .federation : .legacy, requester: query.requester, now: sync.clock.nowMilliseconds)
    for event in room.events { sync.rooms.serializer.write(event, options, to: &writer) }
    try await writePresence(room.events, query, scope, from: from, now: now, to: &writer)
    for (room, users) in sync.readers.ephemeral.typing(in: scope.rooms, after: from.typing) {
      SnapshotEvents.write(typing: users, in: room, to: &writer)
    }
    let user = query.requester.userID
    let receipts = try await sync.readers.ephemeral.receipts(in: scope.rooms, after: from.receipt, upTo: now.receipt)
    for (room, receipts) in receipts {
      if let event = ReceiptContent.event(receipts, for: user, in: room) { writer.raw(event) }
    }
    try await writeAccountData(of: user, from: from, to: &writer)
    let isNews = writer.bytes.count > empty
    writer.endArray()
    var body = JSONWriter(capacity: writer.bytes.count + 256)
    let (start, next) = (try await snapshots.text(from), try await snapshots.text(isNews ? end : from))
    body.object { object in
      object.key("chunk")
      object.raw(writer.bytes)
      object.member("start", start)
      object.member("end", next)
    }
    return (body.bytes, isNews)
  }

  // MARK: Events

  private func events(
    _ query: Query, _ scope: Scope, from: StreamToken, now: StreamToken
  ) async throws -> (events: [ClientEvent], end: RoomStreamToken) {
    let (stores, user) = (sync.stores, query.requester.userID)
    guard from.room != now.room else { return ([], now.room) }
    let changed = stores.events.roomsChanged(scope.rooms, since: from.room) ?? scope.rooms
    let page = try await stores.events.earliestEvents(
      rooms: Array(changed), after: from.room, upTo: now.room, limit: query.limit)
    let own = try await ownMemberships(user, scope, query, from: from, now: now, upTo: page)
    let known = Set(page.events.map(\.eventID))
    var found = (page.events + own.filter { !known.contains($0.eventID) }).sorted {
      $0.streamOrdering < $1.streamOrdering
    }
    var end = now.room
    if page.isLimited || found.count > query.limit {
      found = Array(found.prefix(query.limit))
      if let last = found.last { end = RoomStreamToken(now.room.position.bounded(by: last.streamOrdering)) }
    }
    let visible = try await sync.rooms.history.visibility.visible(
      found, to: user, with: scope.isPeeking ? .peeking : .member)
    var memberships: [EventID: Text] = [:]
    for event in visible { memberships[event.event.eventID] = event.membership }
    let prepared = try await sync.rooms.serializer.prepare(
      visible.map(\.event), for: user, memberships: memberships, bundles: false)
    return (prepared, end)
  }

  /// Reads the user's own memberships that changed: by them clients learn of invitations, and of rooms that they are in no more.
  private func ownMemberships(
    _ user: UserID, _ scope: Scope, _ query: Query, from: StreamToken, now: StreamToken, upTo page: EventPage
  ) async throws -> [StoredEvent] {
    let known = try await sync.stores.memberships.allRooms(for: user)
    let covers = { (room: RoomForUser) in from.room.position.covers(room.streamOrdering, instance: room.instanceName) }
    guard !scope.isPeeking, !known.allSatisfy(covers) else { return [] }
    let changes = try await sync.stores.events.membershipChanges(userID: user, after: from.room, upTo: now.room)
    return try await sync.stores.events.orderedEvents(changes.map(\.eventID)).filter {
      query.room == nil || $0.roomID == query.room
    }
  }

  // MARK: Users

  /// Writes whose presence has changed, and that of users who have come near.
  private func writePresence(
    _ events: [ClientEvent], _ query: Query, _ scope: Scope, from: StreamToken, now: StreamToken,
    to writer: inout JSONWriter
  ) async throws {
    guard sync.settings.isPresenceEnabled else { return }
    let user = query.requester.userID
    var wanted: Set<UserID> = []
    if from.presence != now.presence {
      let request = SyncRequest(
        requester: query.requester, since: from, sinceText: nil, filter: .none, filterText: nil, timeoutMilliseconds: 0,
        wantsFullState: false)
      wanted = try await SyncComputation(sync, request, since: from).visibleUsers(changedSince: from.presence)
      if scope.isPeeking {
        let inside = try await sync.readers.memberships.joinedUsers(in: scope.rooms)
        wanted.formUnion(
          inside.filter { sync.stores.presence.changes.hasChanged($0.rawValue, since: from.presence) })
      }
    }
    for event in events where event.stored.event.membership == "join" {
      guard event.stored.type == EventType.member, let subject = event.stored.stateKey else { continue }
      if subject == user.rawValue {
        wanted.formUnion(try await sync.readers.memberships.joinedUsers(in: [event.stored.roomID]))
      } else {
        wanted.insert(UserID(unchecked: subject))
      }
    }
    guard !wanted.isEmpty else { return }
    let time = sync.clock.nowMilliseconds
    for state in try await sync.stores.presence.states(of: Array(wanted)).values {
      SnapshotEvents.write(state, now: time, to: &writer)
    }
  }

  private func writeAccountData(of user: UserID, from: StreamToken, to writer: inout JSONWriter) async throws {
    let reader = sync.readers.accountData
    SnapshotEvents.write(try await reader.global(of: user, after: from.accountData), to: &writer)
    let ofRooms = try await reader.ofRooms(of: user, after: from.accountData, newRooms: [])
    for (room, tags) in ofRooms.tags { SnapshotEvents.write(tags, in: room, to: &writer) }
    for (room, entries) in ofRooms.entries { SnapshotEvents.write(entries, in: room, to: &writer) }
  }
}
