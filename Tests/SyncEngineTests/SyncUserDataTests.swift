import MatrixPrimitives
import RoomServices
import Stores
import Testing

@testable import SyncEngine

@Suite struct SyncUserDataTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob

  private func document(_ json: JSON) throws -> JSONValue { try json.document() }

  @Test func accountDataAndTagsComeWhenTheyChange() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let first = try await server.sync()
    let data = server.services.accountData
    try await data.set(alice.userID, type: "org.colour", content: try document(["value": "red"]))
    try await data.set(alice.userID, room: room, type: "org.note", content: try document(["n": 1]))
    try await data.setTag(alice.userID, room: room, tag: "m.favourite", content: try document(["order": 0.5]))
    let second = try await server.sync(since: first.next)
    #expect(second["account_data"] == ["events": [["type": "org.colour", "content": ["value": "red"]]]])
    let roomData = second.joined(room)?.at("account_data", "events")?.elements ?? []
    #expect(roomData.count == 2)
    #expect(roomData.contains(["type": "org.note", "content": ["n": 1]]))
    #expect(roomData.contains(["type": "m.tag", "content": ["tags": ["m.favourite": ["order": 0.5]]]]))
    #expect(try await server.sync(bob)["account_data"]?["events"]?.elements?.count == 1)

    try await data.removeTag(alice.userID, room: room, tag: "m.favourite")
    let third = try await server.sync(since: second.next)
    #expect(third.joined(room)?.at("account_data", "events") == [["type": "m.tag", "content": ["tags": [:]]]])
    let initial = try await server.sync()
    #expect(initial.joined(room)?.at("account_data", "events") == [["type": "org.note", "content": ["n": 1]]])
  }

  @Test func nobodyIgnoresThemselves() async throws {
    let server = try await SyncFixture()
    await #expect(throws: MatrixError.self) {
      try await server.services.accountData.set(
        alice.userID, type: "m.ignored_user_list", content: try document(["ignored_users": ["@alice:test": [:]]]))
    }
    #expect(try await server.users.accountData.data(of: alice.userID).global.isEmpty)
  }

  @Test func typingIsShownAndEnds() async throws {
    let clock = ServerClock.test()
    let server = try await SyncFixture(clock: clock)
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let first = try await server.sync()
    server.services.typing.setTyping(bob.userID, in: room, isTyping: true, timeout: 5000)
    let second = try await server.sync(since: first.next)
    #expect(
      second.joined(room)?.at("ephemeral", "events") == [["type": "m.typing", "content": ["user_ids": ["@bob:test"]]]])
    #expect(try await server.sync(since: second.next)["rooms"] == nil)
    clock.advance(milliseconds: -3_600_000)  // An administrator sets the clock back.
    clock.advance(milliseconds: 5001)
    server.services.typing.expire()
    let third = try await server.sync(since: second.next)
    #expect(third.joined(room)?.at("ephemeral", "events") == [["type": "m.typing", "content": ["user_ids": []]]])
  }

  @Test func receiptsAreSharedAndPrivateOnesAreNot() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let one = try await server.say("one", room)
    let two = try await server.say("two", room)
    let first = try await server.sync()
    let receipts = server.services.receipts
    try await receipts.receive(bob, room: room, type: "m.read", event: two, threadID: nil)
    try await receipts.receive(bob, room: room, type: "m.read.private", event: one, threadID: nil)
    let seen = try await server.sync(since: first.next)
    let content = seen.joined(room)?.at("ephemeral", "events")?[0]?["content"]
    #expect(content?.at(two.rawValue, "m.read", "@bob:test", "ts")?.integer != nil)
    #expect(content?[one.rawValue] == nil)
    let own = try await server.sync(bob)
    let hidden = own.joined(room)?.at("ephemeral", "events")?[0]?["content"]
    #expect(hidden?.at(one.rawValue, "m.read.private", "@bob:test") != nil)

    try await receipts.receive(bob, room: room, type: "m.read", event: one, threadID: nil)
    #expect(try await server.sync(since: seen.next)["rooms"] == nil, "an older receipt changes nothing")
    let rows = try await server.database.client.run("SELECT event_ids FROM receipts_graph ORDER BY receipt_type")
    #expect(rows.count == 2)
  }

  @Test func readMarkersOnlyMoveForward() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let (one, two) = (try await server.say("one", room), try await server.say("two", room))
    let receipts = server.services.receipts
    try await receipts.receiveMarker(alice, room: room, event: two)
    try await receipts.receiveMarker(alice, room: room, event: one)
    let data = try await server.users.accountData.data(of: alice.userID).rooms[room]?["m.fully_read"]
    #expect(try JSON.parse(data?.content ?? []) == ["event_id": .string(two.rawValue)])
    await #expect(throws: MatrixError.self) {
      try await receipts.receiveMarker(alice, room: room, event: EventID(unchecked: "$none"))
    }
  }

  @Test func unreadCountsFollowReceiptsAndThreads() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let root = try await server.say("one", room)
    try await server.say("hey @bob", room, extra: ["m.mentions": ["user_ids": ["@bob:test"]]])
    let thread: [Text: JSON] = [
      "m.relates_to": ["rel_type": "m.thread", "event_id": .string(root.rawValue)]
    ]
    let inThread = try await server.say("aside", room, extra: thread)
    #expect(
      try await server.sync(bob).joined(room)?["unread_notifications"]
        == ["notification_count": 3, "highlight_count": 1])
    let byThread: JSON = ["room": ["timeline": ["unread_thread_notifications": true]]]
    let divided = try await server.sync(bob, filter: byThread)
    #expect(divided.joined(room)?["unread_notifications"] == ["notification_count": 2, "highlight_count": 1])
    #expect(
      divided.joined(room)?["unread_thread_notifications"]
        == .object([root.rawValue: ["notification_count": 1, "highlight_count": 0]]))

    try await server.services.receipts.receive(
      bob, room: room, type: "m.read", event: inThread, threadID: root.rawValue)
    let readThread = try await server.sync(bob, filter: byThread)
    #expect(readThread.joined(room)?["unread_thread_notifications"] == nil)
    #expect(readThread.joined(room)?["unread_notifications"] == ["notification_count": 2, "highlight_count": 1])
    try await server.services.receipts.receive(bob, room: room, type: "m.read", event: inThread, threadID: nil)
    #expect(
      try await server.sync(bob).joined(room)?["unread_notifications"]
        == ["notification_count": 0, "highlight_count": 0])
  }

  @Test func messagesForDevicesAreDeliveredUntilAcknowledged() async throws {
    let server = try await SyncFixture()
    try await server.addDevice(alice)
    let first = try await server.sync()
    let messages: JSON = ["@alice:test": ["ALICE1": ["n": 1], "NONE": ["n": 2]], "not a user": [:]]
    for _ in 0..<2 {
      try await server.services.toDevice.send(
        from: bob, type: "org.x", transactionID: "1", messages: try document(messages))
    }
    let second = try await server.sync(since: first.next)
    let expected: JSON = ["events": [["content": ["n": 1], "type": "org.x", "sender": "@bob:test"]]]
    #expect(second["to_device"] == expected)
    #expect(try await server.sync(since: first.next)["to_device"] == expected)
    #expect(try await server.sync(since: second.next)["to_device"] == nil)
    #expect(try await server.database.client.run("SELECT 1 FROM device_inbox").isEmpty)
  }

  @Test func manyMessagesForADeviceComeInPortions() async throws {
    let server = try await SyncFixture()
    try await server.addDevice(alice)
    var since = try await server.sync().next
    for number in 0..<120 {
      try await server.services.toDevice.send(
        from: bob, type: "org.x", transactionID: "\(number)",
        messages: try document(["@alice:test": ["*": ["n": .integer(Int64(number))]]]))
    }
    var numbers: [Int64] = []
    for _ in 0..<2 {
      let answer = try await server.sync(since: since)
      numbers += answer.at("to_device", "events")?.elements?.compactMap { $0.at("content", "n")?.integer } ?? []
      since = answer.next
    }
    #expect(numbers == (0..<120).map { Int64($0) })
  }

  @Test func presenceReachesThoseWhoShareARoom() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let (first, stranger) = (try await server.sync(), try await server.sync(SyncFixture.carol))
    try await server.services.presence.setState(bob.userID, device: "BOB1", state: "online", statusMessage: "here")
    let second = try await server.sync(since: first.next)
    let event = second.at("presence", "events")?[0]
    #expect(event?["sender"] == "@bob:test")
    #expect(event?.at("content", "presence") == "online")
    #expect(event?.at("content", "status_msg") == "here")
    #expect(event?.at("content", "currently_active") == true)
    #expect(try await server.sync(SyncFixture.carol, since: stranger.next)["presence"] == nil)
    #expect(try await server.sync(since: second.next)["presence"] == nil)
  }

  @Test func newDevicesOfNeighboursAreAnnounced() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let before = try await server.sync()
    try await server.change(.join, room, by: bob)
    let joined = try await server.sync(since: before.next)
    #expect(joined.at("device_lists", "changed")?.elements?.contains("@bob:test") == true)
    try await server.change(.leave, room, by: bob)
    let left = try await server.sync(since: joined.next)
    #expect(left.at("device_lists", "left") == ["@bob:test"])
  }
}
