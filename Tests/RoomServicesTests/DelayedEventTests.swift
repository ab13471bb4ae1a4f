import MatrixEvents
import MatrixPrimitives
import Stores
import Testing

@testable import RoomServices

@Suite struct DelayedEventTests {
  private static let settings: Text = "max_event_delay_duration: 1h"
  private static let alice = RoomFixture.alice

  private func draft(_ room: RoomID, _ key: Text? = nil, _ value: Int64 = 1) -> DelayedEventStore.Draft {
    DelayedEventStore.Draft(
      roomID: room, type: "org.example", stateKey: key, content: ["value": .integer(value)], originServerTS: nil)
  }

  private func add(
    _ server: RoomFixture, _ room: RoomID, _ key: Text? = nil, delay: Int64 = 1000, now: Int64 = 5000, limit: Int64 = 9,
    position: Int64 = 0
  ) async throws -> Text {
    try await server.stores.delayedEvents.add(
      draft(room, key), user: Self.alice.userID, deviceID: "A", delay: delay, now: now, limit: limit, position: position
    )
  }

  @Test func whatIsPendingIsListedChangedAndTakenOnce() async throws {
    let server = try await RoomFixture()
    let store = server.stores.delayedEvents
    let room = RoomID(unchecked: "!a:test")
    let (late, early) = (try await add(server, room, delay: 2000), try await add(server, room, "k"))
    #expect(try await store.entries(of: "alice").map(\.id) == [early, late])
    #expect(try await store.entries(of: "bob").isEmpty)
    #expect(try await store.entry(late, of: "alice")?.since == 5000)
    #expect(try await store.entry(late, of: "bob") == nil)
    #expect(try await store.nextSendTS() == 6000)
    #expect(try await store.restart(early, now: 9000))
    #expect(try await store.nextSendTS() == 7000)
    let taken = try await store.take(late)
    #expect(taken?.draft.content == ["value": 1])
    #expect(try await store.take(late) == nil)
    #expect(try await !store.restart(late, now: 1))
    #expect(try await !store.cancel(late))
    try await store.postpone(late, until: 20_000)
    #expect(try await store.entry(late, of: "alice")?.sendTS == 20_000)
    #expect(try await store.cancel(early))
    #expect(try await !store.cancel("\u{0}"))
    try await store.cancelAll(of: "alice")
    #expect(try await store.nextSendTS() == nil)
  }

  @Test func whatIsDueIsTakenInOrderAndAgainAfterARestart() async throws {
    let server = try await RoomFixture()
    let store = server.stores.delayedEvents
    let room = RoomID(unchecked: "!a:test")
    let (second, first) = (try await add(server, room, delay: 20), try await add(server, room, delay: 10))
    let later = try await add(server, room, delay: 1000)
    #expect(try await store.takeDue(now: 5020, again: false).map(\.id) == [first, second])
    #expect(try await store.takeDue(now: 5020, again: false).isEmpty)
    try await store.finish(first)
    #expect(try await store.takeDue(now: 5020, again: true).map(\.id) == [second])
    #expect(try await store.entries(of: "alice").map(\.id) == [later])
  }

  @Test func theLimitSaysWhenThereIsPlace() async throws {
    let server = try await RoomFixture()
    let room = RoomID(unchecked: "!a:test")
    _ = try await add(server, room, delay: 300, limit: 2)
    _ = try await add(server, room, delay: 700, limit: 2)
    for (limit, wait) in [(2, 300), (1, 700)] as [(Int64, Int64)] {
      do {
        _ = try await add(server, room, limit: limit)
        Issue.record("more than the limit was stored")
      } catch let error as MatrixError {
        #expect(error.status == 429)
        #expect(error.retryAfterMilliseconds == wait)
      }
    }
  }

  @Test func stateOfOthersCancelsWhatIsOlder() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(
      RoomFixture.alice, ["preset": "public_chat", "power_level_content_override": ["state_default": 0]])
    try await server.change(.join, room, by: RoomFixture.bob)
    func set(_ key: Text, _ requester: Requester) async throws {
      _ = try await server.rooms.submitter.submit(
        ClientEventDraft(
          roomID: room, type: "org.example", stateKey: key, content: ["by": .string(requester.userID.rawValue)]),
        requester: requester)
    }
    func position() -> Int64 { server.stores.events.ids.currentToken }
    try await set("before", RoomFixture.bob)
    // The first one is younger than what is set by then.
    for (key, now) in [("before", 9_000_000_000_000), ("own", 0), ("other", 0)] as [(Text, Int64)] {
      _ = try await add(server, room, key, now: now)
    }
    try await set("own", RoomFixture.alice)
    try await set("other", RoomFixture.bob)
    try await server.stores.delayedEvents.cancelOvertaken(upTo: position(), serverName: "test")
    #expect(Set(try await server.stores.delayedEvents.entries(of: "alice").map(\.draft.stateKey)) == ["before", "own"])
  }

  @Test func whatIsSentCarriesItsName() async throws {
    let server = try await RoomFixture(settings: Self.settings)
    let room = try await server.createRoom()
    try await server.addDevice(Self.alice)
    let id = try await server.rooms.delayedEvents.add(
      draft(room), delay: 3_600_000, transactionID: "t", requester: Self.alice)
    let again = try await server.rooms.delayedEvents.add(
      draft(room), delay: 3_600_000, transactionID: "t", requester: Self.alice)
    #expect(id == again)
    try await server.rooms.delayedEvents.change(id, .send, requester: nil, address: "::1")
    let last = try await server.timeline(room).last?.stored
    #expect(last?.type == "org.example")
    #expect(last?.metadata.delayID == id)
    await #expect(throws: MatrixError.self) {
      try await server.rooms.delayedEvents.change(id, .cancel, requester: nil, address: "::1")
    }
  }

  @Test func whereNoDelayIsAllowedNothingIsStored() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    await #expect(throws: MatrixError.forbidden("Sending delayed events has been disallowed")) {
      try await server.rooms.delayedEvents.add(draft(room), delay: 1, transactionID: nil, requester: Self.alice)
    }
  }
}
