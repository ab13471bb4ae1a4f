import Dispatch
import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores
import Synchronization
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

/// The promises of `Docs/event-path.md` about the persister that no older test checks.
@Suite(.timeLimit(.minutes(2))) struct PersistInvariantTests {
  private func item(_ made: (event: Event, context: EventContext)) -> PersistableEvent {
    PersistableEvent(event: made.event, context: made.context, pushActions: [])
  }

  @Test func whatIsVisibleIsToldNobodyBeforeItIsOnTheDisk() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let topic = item(try await room.make(Sending("m.room.topic", "", Users.alice, ["topic": "new"])))
    let told = await fixture.announced(.events).count
    let (isVisible, release) = (Gate(), DispatchSemaphore(value: 0))
    let hasReturned = Mutex(false)
    let persisting = Task {
      let stored = try await fixture.persister.persist(
        [topic], roomID: room.roomID, areNew: true,
        whenVisible: {
          isVisible.open()
          release.wait()
        })
      hasReturned.withLock { $0 = true }
      return stored
    }
    await isVisible.wait()
    // What has no position can be read, from memory as well as from the database.
    let state = try await fixture.stores.state.currentState(room.roomID, filter: .all)
    #expect(state[StateKey("m.room.topic")] == topic.event.eventID)
    #expect(
      try await fixture.lines("SELECT event_id FROM current_state_events WHERE type = 'm.room.topic'")
        == [topic.event.eventID.rawValue])
    let position = fixture.stores.events.ids.currentToken
    #expect(await fixture.announced(.events).count == told)
    #expect(!hasReturned.withLock { $0 })
    release.signal()
    let stored = try #require(try await persisting.value.first)
    #expect(position < stored.streamOrdering)
    #expect(fixture.stores.events.ids.currentToken >= stored.streamOrdering)
    #expect(await fixture.announced(.events).count > told)
  }

  @Test func oneBadEventFailsAlone() async throws {
    let fixture = try await PersisterFixture.make()
    let rooms = [try await fixture.makeRoom(), try await fixture.makeRoom()]
    var items: [PersistableEvent] = []
    for number in 0..<20 {
      let room = rooms[number % 2]
      var made = try await room.make(.message("\(number)"))
      if number == 7 { made.context.stateGroup = 1_000_000 }
      items.append(item(made))
    }
    let failed = await withTaskGroup(of: EventID?.self) { group in
      for item in items {
        group.addTask {
          let stored = try? await fixture.persister.persist([item], roomID: item.event.roomID, areNew: true)
          return stored == nil ? item.event.eventID : nil
        }
      }
      return await group.reduce(into: [EventID]()) { if let id = $1 { $0.append(id) } }
    }
    #expect(failed == [items[7].event.eventID])
    let ids = items.map(\.event.eventID)
    #expect(try await fixture.stores.events.havePersisted(ids) == Set(ids).subtracting(failed))
  }

  @Test func stateThatIsSaidTwiceIsStoredOnce() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let edge = Array(try await room.edge())
    // As workers make them that have not seen each other's.
    var joins: [PersistableEvent] = []
    for depth in [10, 11, 12] as [Int64] {
      let join = Sending("m.room.member", Users.bob.rawValue, Users.bob, ["membership": "join"])
      joins.append(item(try await room.make(join, after: edge, depth: depth)))
    }
    #expect(Set(joins.map(\.event.eventID)).count == 3)
    let stored = try await withThrowingTaskGroup(of: EventID.self) { group in
      for join in joins {
        group.addTask { try await fixture.persister.persist([join], roomID: room.roomID, areNew: true)[0].eventID }
      }
      return try await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(stored.count == 1)
    #expect(
      try await fixture.lines("SELECT count(*) FROM room_memberships WHERE user_id = \(Users.bob.rawValue)") == ["1"])
  }

  @Test func onlyTheRoomsWriterPersists() async throws {
    let fixture = try await PersisterFixture.make(
      settings: """
        redis: {enabled: true}
        instance_map: {main: {host: localhost, port: 1}, persister1: {host: localhost, port: 2}}
        stream_writers: {events: [persister1]}
        """)
    let room = RoomID(unchecked: "!room:test.example")
    #expect(fixture.persister.writer(for: room) == "persister1")
    let draft = EventDraft(
      type: "m.room.message", stateKey: nil, sender: Users.alice, roomID: room, content: [:], originServerTS: 1)
    let event = try draft.seal(version: .v10, signer: fixture.signer, serverName: PersisterFixture.serverName)
    await #expect(throws: StoreError.self) {
      try await fixture.persister.persist([PersistableEvent(event: event, context: .outlier)], roomID: room)
    }
    #expect(try await fixture.lines("SELECT 1 FROM events").isEmpty)
  }

  @Test func aBatchThatChangesTheStateIsNotBuiltUpon() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let (creator, worker) = (server.rooms.submitter.creator, server.batchWorker())
    let chain = try await creator.chain(at: room, for: RoomFixture.alice.userID)
    let hold = try await worker.locks.hold(room)
    var batch = SubmissionBatch(at: chain, holding: hold)
    #expect(await worker.mayBeFollowed(batch, room: room))
    for (draft, mayBeFollowed) in [
      (ClientEventDraft(roomID: room, type: "m.room.message", content: ["msgtype": "m.text", "body": "x"]), true),
      (ClientEventDraft(roomID: room, type: "m.room.topic", stateKey: "", content: ["topic": "x"]), false),
    ] {
      guard case .created(let event) = try await creator.create(draft, requester: RoomFixture.alice, on: &batch.chain)
      else {
        Issue.record("nothing was created")
        return
      }
      batch.events.append(try await worker.delivery.outgoing(event, requester: RoomFixture.alice))
      #expect(await worker.mayBeFollowed(batch, room: room) == mayBeFollowed)
    }
    // Nor is one beside which others have written.
    let late = SubmissionBatch(at: chain, holding: hold)
    try await server.say("by another", room)
    #expect(await !worker.mayBeFollowed(late, room: room))
  }
}
