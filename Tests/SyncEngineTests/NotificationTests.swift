import MatrixPrimitives
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// The list of what users were notified of, and account data that is deleted.
@Suite struct NotificationTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob

  @Test func notificationsAreListedNewestFirstAndPaged() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let plain = try await server.say("plain", room)
    let mention = try await server.say("ping", room, extra: ["m.mentions": ["user_ids": ["@bob:test"]]])
    let last = try await server.say("last", room)
    let service = server.services.notifications
    func list(_ before: Int64?, _ limit: Int, highlights: Bool = false) async throws -> [NotificationService.Item] {
      try await service.notifications(of: bob.userID, before: before, limit: limit, onlyHighlights: highlights)
    }
    let all = try await list(nil, 10)
    #expect(all.map(\.event.stored.eventID) == [last, mention, plain])
    #expect(all.map { $0.notification.actions.first } == ["notify", "notify", "notify"])
    let page = try await list(nil, 2)
    #expect(page.count == 2)
    let next = try await list(page.last?.notification.streamOrdering, 2)
    #expect(next.map(\.event.stored.eventID) == [plain])
    #expect(try await list(nil, 10, highlights: true).map(\.event.stored.eventID) == [mention])
    #expect(try await list(nil, 0).isEmpty)
    #expect(
      try await service.notifications(of: alice.userID, before: nil, limit: 10, onlyHighlights: false).isEmpty)
  }

  @Test func whatAReceiptCoversIsRead() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let root = try await server.say("root", room)
    let relation: [Text: JSON] = [
      "m.relates_to": ["rel_type": "m.thread", "event_id": .string(root.rawValue)],
      "m.mentions": ["user_ids": ["@bob:test"]],
    ]
    let inThread = try await server.say("in the thread", room, extra: relation)
    let mention: [Text: JSON] = ["m.mentions": ["user_ids": ["@bob:test"]]]
    let main = try await server.say("main", room, extra: mention)
    func read() async throws -> [EventID: Bool] {
      let items = try await server.services.notifications.notifications(
        of: bob.userID, before: nil, limit: 10, onlyHighlights: false)
      return Dictionary(uniqueKeysWithValues: items.map { ($0.event.stored.eventID, $0.notification.isRead) })
    }
    #expect(try await read() == [root: false, inThread: false, main: false])
    try await server.services.receipts.receive(bob, room: room, type: "m.read", event: main, threadID: "main")
    #expect(try await read() == [root: true, inThread: false, main: true], "the thread is not the main timeline")
    try await server.services.receipts.receive(bob, room: room, type: "m.read.private", event: main, threadID: nil)
    #expect(try await read() == [root: true, inThread: true, main: true])
  }

  // MARK: Account data

  @Test func deletedAccountDataIsToldOnceAndThenGone() async throws {
    let server = try await SyncFixture(settings: "experimental_features: {msc3391_enabled: true}")
    let room = try await server.createRoom()
    let data = server.services.accountData
    let (user, content) = (alice.userID, try (["a": 1] as JSON).document())
    try await data.set(user, type: "org.example", content: content)
    try await data.set(user, room: room, type: "org.example", content: content)
    let first = try await server.sync()
    try await data.remove(user, type: "org.example")
    try await data.set(user, room: room, type: "org.example", content: .emptyObject)
    let second = try await server.sync(since: first.next)
    #expect(second["account_data"] == ["events": [["type": "org.example", "content": [:]]]])
    #expect(second.joined(room)?.at("account_data", "events") == [["type": "org.example", "content": [:]]])
    let again = try await data.remove(user, type: "org.example")
    #expect(again > 0, "a position at which the change can be read")
    #expect(try await server.sync(since: second.next)["account_data"] == nil, "what is gone is not deleted again")
    let initial = try await server.sync()
    #expect(initial.at("account_data", "events")?.elements?.contains { $0["type"] == "org.example" } == false)
    #expect(initial.joined(room)?.at("account_data", "events") == [])
    await #expect(throws: MatrixError.self) { _ = try await data.content("org.example", of: user) }
    await #expect(throws: MatrixError.self) { _ = try await data.content("org.example", of: user, in: room) }
  }

  @Test func deletingTheListOfIgnoredUsersIgnoresNobody() async throws {
    let server = try await SyncFixture(settings: "experimental_features: {msc3391_enabled: true}")
    let list = try (["ignored_users": ["@bob:test": [:]]] as JSON).document()
    try await server.services.accountData.set(alice.userID, type: "m.ignored_user_list", content: list)
    #expect(try await server.users.accountData.ignoredUsers(alice.userID) == [bob.userID])
    try await server.services.accountData.remove(alice.userID, type: "m.ignored_user_list")
    #expect(try await server.users.accountData.ignoredUsers(alice.userID).isEmpty)
    #expect(try await server.users.accountData.ignorers(of: bob.userID).isEmpty)
  }

  @Test func emptyAccountDataStaysWhereDeletionIsOff() async throws {
    let server = try await SyncFixture()
    let data = server.services.accountData
    try await data.set(alice.userID, type: "org.example", content: .emptyObject)
    #expect(try await data.content("org.example", of: alice.userID) == Array("{}".utf8))
  }
}
