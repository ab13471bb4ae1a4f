import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Synchronization
import Testing

@testable import SyncEngine

/// The threads that users follow (MSC4306, MSC4308).
@Suite struct ThreadSubscriptionTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob
  static let enabled: Text = "experimental_features: {msc4306_enabled: true}"

  private func make() async throws -> (SyncFixture, RoomID, root: EventID) {
    let server = try await SyncFixture(settings: Self.enabled)
    try await server.addUsers(alice, bob)
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    return (server, room, try await server.say("root", room))
  }

  private func reply(_ root: EventID) -> [Text: JSON] {
    ["m.relates_to": ["rel_type": "m.thread", "event_id": .string(root.rawValue)]]
  }

  private func status(_ body: () async throws -> Void) async -> Int {
    do { try await body() } catch { return (error as? MatrixError)?.status ?? 0 }
    return 200
  }

  @Test func aSubscriptionByHandReplacesAnAutomaticOneAndNotTheOtherWayRound() async throws {
    let (server, room, root) = try await make()
    let threads = server.services.threadSubscriptions
    let cause = try await server.say("reply", room, extra: reply(root))
    #expect(await status { _ = try await threads.isAutomatic(bob, room: room, root: root) } == 404)
    try await threads.subscribe(bob, room: room, root: root, cause: cause)
    #expect(try await threads.isAutomatic(bob, room: room, root: root))
    try await threads.subscribe(bob, room: room, root: root, cause: nil)
    #expect(try await !threads.isAutomatic(bob, room: room, root: root))
    try await threads.subscribe(bob, room: room, root: root, cause: cause)
    #expect(try await !threads.isAutomatic(bob, room: room, root: root))
    #expect(await status { _ = try await threads.isAutomatic(alice, room: room, root: root) } == 404)
  }

  @Test func anEndOutlastsAutomaticSubscriptionsByOlderEvents() async throws {
    let (server, room, root) = try await make()
    let threads = server.services.threadSubscriptions
    let old = try await server.say("old", room, extra: reply(root))
    try await threads.subscribe(bob, room: room, root: root, cause: nil)
    try await threads.unsubscribe(bob, room: room, root: root)
    try await threads.unsubscribe(bob, room: room, root: root)
    #expect(await status { try await threads.subscribe(bob, room: room, root: root, cause: old) } == 409)
    let new = try await server.say("new", room, extra: reply(root))
    try await threads.subscribe(bob, room: room, root: root, cause: new)
    #expect(try await threads.isAutomatic(bob, room: room, root: root))
  }

  @Test func onlyWhatTheUserSeesIsAThread() async throws {
    let (server, room, root) = try await make()
    let threads = server.services.threadSubscriptions
    let carol = SyncFixture.carol
    let other = try await server.say("no reply", room)
    #expect(await status { try await threads.subscribe(bob, room: room, root: root, cause: other) } == 400)
    let secret = try await server.createRoom(alice, ["preset": "private_chat"])
    let hidden = try await server.say("hidden", secret)
    #expect(await status { try await threads.subscribe(carol, room: secret, root: hidden, cause: nil) } == 404)
    #expect(await status { try await threads.subscribe(bob, room: room, root: hidden, cause: nil) } == 404)
    #expect(await status { try await threads.unsubscribe(carol, room: secret, root: hidden) } == 404)
  }

  @Test func changesArePagedBackwards() async throws {
    let (server, room, _) = try await make()
    let threads = server.services.threadSubscriptions
    var roots: [EventID] = []
    for number in 0..<5 {
      let root = try await server.say("\(number)", room)
      roots.append(root)
      try await threads.subscribe(bob, room: room, root: root, cause: nil)
    }
    try await threads.unsubscribe(bob, room: room, root: roots[0])
    let first = try await threads.changes(of: bob.userID, after: 0, upTo: nil, limit: 2)
    #expect(first.changes.map(\.root) == [roots[4], roots[0]])
    #expect(first.changes.map(\.isAutomatic) == [false, nil])
    let second = try await threads.changes(of: bob.userID, after: 0, upTo: first.end, limit: 2)
    #expect(second.changes.map(\.root) == [roots[2], roots[3]])
    let third = try await threads.changes(of: bob.userID, after: 0, upTo: second.end, limit: 2)
    #expect(third.changes.map(\.root) == [roots[1]] && third.end == nil)
    let newer = try await threads.changes(
      of: bob.userID, after: try #require(first.changes.first?.streamID), upTo: nil, limit: 9)
    #expect(newer.changes.map(\.root) == [roots[0]])
    #expect(await status { _ = try await threads.changes(of: bob.userID, after: 0, upTo: nil, limit: 0) } == 400)
  }

  @Test func rowsGoToOtherProcessesOnlyForChanges() async throws {
    let (server, room, root) = try await make()
    let rows = Mutex<[StreamRow]>([])
    server.hub.subscribe(.threadSubscriptions) { batch in rows.withLock { $0 += batch.rows } }
    let threads = server.services.threadSubscriptions
    for _ in 0..<2 { try await threads.subscribe(bob, room: room, root: root, cause: nil) }
    await server.hub.waitUntilIdle()
    let wanted = StreamRow.threadSubscription(
      ThreadSubscriptionRow(userID: bob.userID, roomID: room, eventID: root))
    #expect(rows.withLock { $0 } == [wanted])
  }

  @Test func sixteenRequestsMakeOneSubscription() async throws {
    let (server, room, root) = try await make()
    let store = server.stores.threadSubscriptions
    let stored = try await withThrowingTaskGroup(of: ThreadSubscriptionStore.Outcome.self) { group in
      for _ in 0..<16 { group.addTask { try await store.subscribe(bob.userID, room, root, cause: nil) } }
      return try await group.reduce(into: 0) { count, outcome in count += outcome == .stored ? 1 : 0 }
    }
    #expect(stored == 1)
  }

  @Test func threadsThatAreFollowedNotifyAndOthersDoNot() async throws {
    let (server, room, root) = try await make()
    let threads = server.services.threadSubscriptions
    func count() async throws -> JSON? {
      let filter: JSON = ["room": ["timeline": ["unread_thread_notifications": true]]]
      return try await server.sync(bob, filter: filter).joined(room)?["unread_thread_notifications"]
    }
    try await server.say("reply", room, extra: reply(root))
    #expect(try await count() == nil)
    try await threads.subscribe(bob, room: room, root: root, cause: nil)
    try await server.say("reply", room, extra: reply(root))
    #expect(try await count()?.at(root.rawValue, "notification_count") == 1)
    try await threads.unsubscribe(bob, room: room, root: root)
    try await server.say("reply", room, extra: reply(root))
    #expect(try await count()?.at(root.rawValue, "notification_count") == 1)
    let rules = try JSON.parse(try await server.services.pushRules.rulesJSON(of: bob.userID))
    #expect(rules.at("global", "postcontent")?.elements?.count == 2)
  }

  @Test func noRulesAreThereUnlessTheyAreSwitchedOn() async throws {
    let server = try await SyncFixture()
    try await server.addUsers(alice)
    #expect(!server.services.threadSubscriptions.isEnabled)
    let rules = try JSON.parse(try await server.services.pushRules.rulesJSON(of: alice.userID))
    #expect(rules.at("global", "postcontent") == [])
  }
}
