import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import Stores
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite(.serialized) struct StreamTests {
  @Test func whatIsAnnouncedIsWhatACatchUpFinds() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom(extra: [("m.room.name", ["name": "Hall"])])
    try await room.join(Users.bob)
    let message = try await room.send(.message("hello"))
    try await room.send(Sending("m.room.redaction", nil, Users.alice, [:], redacts: message.eventID))
    try await room.send(
      Sending("m.room.topic", "", Users.bob, ["topic": "no"]), rejected: "auth_error")
    try await room.send(Sending("m.room.member", Users.bob.rawValue, Users.alice, ["membership": "ban"]))
    let announced = await fixture.announced(.events).flatMap { batch in batch.rows.map { (batch.token, $0) } }
    let last = try #require(announced.last?.0)
    // Small pages must give the same rows.
    var found: [(Int64, StreamRow)] = []
    var from: Int64 = 1
    while from < last {
      let page = try await fixture.hub.ownUpdates(of: .events, from: from, to: last, limit: 4)
      found += page.rows.map { ($0.token, $0.row) }
      #expect(page.upTo > from)
      from = page.upTo
    }
    func sorted(_ rows: [(Int64, StreamRow)]) -> [Text] {
      rows.map { "\($0.0) \(Text(decoding: $0.1.encoded, as: UTF8.self))" }.sorted()
    }
    #expect(sorted(found) == sorted(announced))
  }

  @Test func theRowsOfABatchComeInOrderWithTheStateAtItsFirstPlace() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let batches = await fixture.announced(.events)
    #expect(batches.map(\.token) == [2, 3, 4, 5])
    let kinds = batches.map { batch in
      batch.rows.map { row in
        switch row {
        case .event(let event): "ev \(event.type)"
        case .eventState(let state): "state \(state.type)"
        default: "other"
        }
      }
    }
    #expect(
      kinds == [
        ["ev m.room.create", "state m.room.create"],
        ["ev m.room.member", "state m.room.join_rules", "state m.room.member", "state m.room.power_levels"],
        ["ev m.room.power_levels"], ["ev m.room.join_rules"],
      ])
    let invalidations = await fixture.announced(.caches).flatMap(\.rows)
    #expect(
      invalidations.contains(
        .caches(
          CachesRow(
            cacheFunction: "cs_cache_fake", keys: [room.roomID.rawValue, Users.alice.rawValue],
            invalidationTS: fixture.clock.nowMilliseconds))))
  }

  @Test func anotherProcessFollowsTheRows() async throws {
    let writer = try await PersisterFixture.make()
    let reader = try await PersisterFixture.on(writer.database)
    let room = try await writer.makeRoom()
    let first = try await writer.stores.memberships.joinedUsers(room.roomID)
    #expect(try await reader.stores.memberships.joinedUsers(room.roomID) == first)
    #expect(try await reader.stores.memberships.rooms(for: Users.bob, memberships: [.join]).isEmpty)
    let stateBefore = try await reader.stores.state.currentState(room.roomID)
    let join = try await writer.makeJoinAndForward(room, to: reader)
    #expect(Set(try await reader.stores.memberships.joinedUsers(room.roomID)) == [Users.alice, Users.bob])
    #expect(
      try await reader.stores.memberships.rooms(for: Users.bob, memberships: [.join]).map(\.roomID) == [room.roomID])
    let state = try await reader.stores.state.currentState(room.roomID)
    #expect(state.count == stateBefore.count + 1)
    #expect(state[StateKey("m.room.member", Users.bob.rawValue)] == join.eventID)
  }

  @Test func theTimelineIsReadInTheOrderOfArrival() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let other = try await fixture.makeRoom()
    let start = fixture.stores.events.currentToken()
    let sent = try await room.sendBatch((0..<5).map { .message("\($0)") })
    let now = fixture.stores.events.currentToken()
    let store = fixture.stores.events
    let pages = try await store.latestEvents(
      rooms: [room.roomID, other.roomID], after: start, upTo: now, limit: 3)
    #expect(pages[other.roomID] == nil)
    #expect(pages[room.roomID]?.events.map(\.eventID) == sent.suffix(3).map(\.eventID))
    #expect(pages[room.roomID]?.isLimited == true)
    let whole = try await store.latestEvents(roomID: room.roomID, after: start, upTo: now, limit: 5)
    #expect(whole.events.count == 5 && !whole.isLimited)
    let oldest = try await store.events(roomID: room.roomID, after: start, upTo: now, limit: 2)
    #expect(oldest.events.map(\.eventID) == sent.prefix(2).map(\.eventID) && oldest.isLimited)
    #expect(store.roomsChanged([room.roomID, other.roomID], since: start) == [room.roomID])
    #expect(try await store.lastEvent(roomID: room.roomID, upTo: now)?.eventID == sent[4].eventID)
    #expect(
      try await store.lastEvent(roomID: room.roomID, upTo: RoomStreamToken(stream: sent[2].streamOrdering))?.eventID
        == sent[2].eventID)
    #expect(try await store.stateDeltas(roomID: room.roomID, after: start, upTo: now).isEmpty)
    let deltas = try await store.stateDeltas(roomID: other.roomID, after: RoomStreamToken(stream: 0), upTo: now)
    #expect(deltas.count == 4 && deltas.allSatisfy { $0.previousEventID == nil })
    let changes = try await store.membershipChanges(
      userID: Users.alice, after: RoomStreamToken(stream: 0), upTo: now)
    #expect(changes.map(\.roomID) == [room.roomID, other.roomID])
  }
}

extension PersisterFixture {
  /// Lets bob join and hands the announced rows to another process, as the replication does.
  func makeJoinAndForward(_ room: TestRoom, to reader: PersisterFixture) async throws -> StoredEvent {
    let join = try await room.join(Users.bob)
    for batch in await announced(.events) where batch.token >= join.streamOrdering {
      let foreign = StreamBatch(stream: .events, instanceName: "other", token: batch.token, rows: batch.rows)
      reader.stores.applyCommitted([foreign])
    }
    return join
  }
}
