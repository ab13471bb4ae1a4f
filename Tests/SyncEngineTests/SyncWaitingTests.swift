import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Synchronization
import Testing

@testable import SyncEngine

@Suite struct SyncWaitingTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob

  /// Starts a long poll, lets something happen once it waits, and returns its answer.
  private func poll(
    _ server: SyncFixture, _ requester: Requester, since: Text, _ body: () async throws -> Void
  ) async throws -> JSON {
    async let answer = server.syncNow(requester, since: since, timeout: 60_000)
    while server.services.notifier.waitingCount == 0 { await Task.yield() }
    try await body()
    return try await answer
  }

  @Test func aMessageWakesThoseInTheRoom() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let first = try await server.sync(bob)
    let answer = try await poll(server, bob, since: first.next) { try await server.say("wake up", room) }
    #expect(answer.bodies(room) == ["wake up"])
    let typing = try await poll(server, bob, since: answer.next) {
      server.services.typing.setTyping(alice.userID, in: room, isTyping: true, timeout: 1000)
    }
    #expect(typing.joined(room)?.keys("ephemeral") == ["m.typing|-"])
  }

  @Test func anInviteWakesTheInvited() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync(bob)
    let answer = try await poll(server, bob, since: first.next) {
      try await server.change(.invite, room, by: alice, of: bob)
    }
    #expect(answer.at("rooms", "invite", room.rawValue) != nil)
    let joined = try await poll(server, bob, since: answer.next) { try await server.change(.join, room, by: bob) }
    #expect(joined.joined(room) != nil)
    let later = try await poll(server, bob, since: joined.next) { try await server.say("now in the room", room) }
    #expect(later.bodies(room) == ["now in the room"])
  }

  @Test func dataOfTheUserWakesTheUser() async throws {
    let server = try await SyncFixture()
    try await server.addDevice(alice)
    var since = try await server.sync().next
    let content = try JSON.object(["a": 1]).document()
    let data = try await poll(server, alice, since: since) {
      try await server.services.accountData.set(alice.userID, type: "org.x", content: content)
    }
    #expect(data.keys("account_data") == ["org.x|-"])
    since = data.next
    let rules = try await poll(server, alice, since: since) {
      try await server.services.pushRules.set(
        "enabled", alice.userID, kind: "override", id: ".m.rule.master", body: try JSONValue.parse("true"))
    }
    #expect(rules.keys("account_data") == ["m.push_rules|-"])
    since = rules.next
    let message = try await poll(server, alice, since: since) {
      try await server.services.toDevice.send(
        from: bob, type: "org.y", transactionID: "1",
        messages: try JSON.object(["@alice:test": ["*": [:]]]).document())
    }
    #expect(message.keys("to_device") == ["org.y|-"])
  }

  @Test func nothingNewAnswersEmptyWhenTheTimeIsUpAndAsksTheDatabaseNothing() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.say("x", room)
    let first = try await server.sync()
    _ = try await server.sync(since: first.next)
    await server.stores.events.ids.flush()  // Otherwise the note of the writer's position may fall into the count.
    let before = server.database.client.statistics
    let answer = try await server.sync(since: first.next, timeout: 1)
    let after = server.database.client.statistics
    #expect(answer["rooms"] == nil)
    #expect(answer.next == first.next)
    #expect(after.queries == before.queries)
  }

  @Test func aMessageCostsOneQuery() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    var since = try await server.sync(bob).next
    try await server.say("one", room)
    since = try await server.sync(bob, since: since).next
    try await server.say("two", room)
    await server.hub.waitUntilIdle()
    await server.stores.events.ids.flush()  // Otherwise the note of the writer's position may fall into the count.
    let before = server.database.client.statistics.queries
    let answer = try await server.sync(bob, since: since)
    let after = server.database.client.statistics.queries
    #expect(answer.bodies(room) == ["two"])
    #expect(after - before <= 1, "only the unread counts are asked for")
  }

  @Test func aTokenFromTheFutureIsCutDown() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.say("x", room)
    let answer = try await server.sync(since: "s999999_999_0_999_999_999_999_999")
    #expect(answer["rooms"] == nil)
    try await server.say("y", room)
    #expect(try await server.sync(since: answer.next).bodies(room) == ["y"])
  }

  @Test func shuttingDownAnswersWaitingRequests() async throws {
    let server = try await SyncFixture()
    let first = try await server.sync()
    let answer = try await poll(server, alice, since: first.next) { server.services.notifier.drain() }
    #expect(answer.next == first.next)
  }

  @Test func equalRequestsShareAnAnswer() async throws {
    let server = try await SyncFixture(answersKeptFor: "2m")
    let room = try await server.createRoom()
    let first = try await server.sync()
    try await server.say("once", room)
    let one = try await server.sync(since: first.next)
    // Positions are noted in the database some time after they were reached, which may be just now; not every time.
    var queries: [Int] = []
    for _ in 0..<5 {
      let before = server.database.client.statistics.queries
      let again = try await server.sync(since: first.next)
      #expect(again.next == one.next && again.bodies(room) == ["once"])
      queries.append(server.database.client.statistics.queries - before)
    }
    #expect(queries.contains(0))
  }

  @Test func whoGivesUpDisturbsNobodyWhoAskedTheSame() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let since = try await server.sync(bob).next
    let request = try await server.request(bob, since: since, timeout: 60_000)
    let outcome = Mutex<Result<[UInt8], any Error>?>(nil)
    let giveUp = try await server.services.sync.begin(request) { result in outcome.withLock { $0 = result } }
    async let other = server.syncNow(bob, since: since, timeout: 60_000)
    while server.services.notifier.waitingCount == 0 { await Task.yield() }
    giveUp()
    giveUp()
    #expect(throws: CancellationError.self) { try outcome.withLock { try $0?.get() } }
    try await server.say("still here", room)
    #expect(try await other.bodies(room) == ["still here"])
  }

  @Test func theLastWhoGivesUpEndsTheWait() async throws {
    let server = try await SyncFixture()
    let since = try await server.sync(bob).next
    let request = try await server.request(bob, since: since, timeout: 60_000)
    let outcomes = Mutex(0)
    let first = try await server.services.sync.begin(request) { _ in outcomes.withLock { $0 += 1 } }
    while server.services.notifier.waitingCount == 0 { await Task.yield() }
    let second = try await server.services.sync.begin(request) { _ in outcomes.withLock { $0 += 1 } }
    #expect(server.services.notifier.waitingCount == 1)
    first()
    #expect(server.services.notifier.waitingCount == 1)
    second()
    #expect(server.services.notifier.waitingCount == 0)
    #expect(outcomes.withLock { $0 } == 2)
    // A request that is given up at once leaves nothing behind, however far it had come.
    for _ in 0..<50 {
      let giveUp = try await server.services.sync.begin(request) { _ in outcomes.withLock { $0 += 1 } }
      giveUp()
    }
    while outcomes.withLock({ $0 }) < 52 || server.services.notifier.waitingCount > 0 { await Task.yield() }
  }
}
