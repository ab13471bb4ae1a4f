import MatrixPrimitives
import Replication
import Stores
import Testing

@testable import SyncEngine

/// What a sliding sync sends beside rooms.
@Suite struct SlidingSyncExtensionTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob
  let carol = SyncFixture.carol

  @Test func messagesForTheDeviceComeUntilTheyAreAcknowledged() async throws {
    let server = try await SyncFixture()
    try await server.addDevice(bob)
    for number in 0..<3 { try await server.send("\(number)", to: bob) }
    func ask(_ since: Text?, limit: Int64 = 2) async throws -> (next: Text, bodies: [Text]) {
      var wanted: [Text: JSON] = ["enabled": true, "limit": .integer(limit)]
      if let since { wanted["since"] = .string(since) }
      let answer = try await server.slide(["extensions": ["to_device": .object(wanted)]]).at("extensions", "to_device")
      return (
        answer?["next_batch"]?.string ?? "",
        (answer?["events"]?.elements ?? []).compactMap { $0.at("content", "text")?.string }
      )
    }
    let first = try await ask(nil)
    #expect(first.bodies == ["0", "1"])
    #expect(try await ask(nil).bodies == ["0", "1"], "nothing was acknowledged")
    let second = try await ask(first.next)
    #expect(second.bodies == ["2"])
    #expect(try await ask(second.next).bodies == [])
    #expect(try await ask(nil).bodies == [], "all were acknowledged")
    // A limit that lets nothing through would lose messages; one from the future acknowledges nothing.
    try await server.send("3", to: bob)
    #expect(try await ask("999999999") == ("999999999", []))
    #expect(try await ask(nil, limit: 0).bodies == ["3"])
  }

  @Test func clientsThatEncryptLearnWhoseDevicesHaveChanged() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let keys: JSON = ["e2ee": ["enabled": true]]
    let first = try await server.slide(.subscription(room, extensions: keys))
    #expect(first.at("extensions", "e2ee", "device_one_time_keys_count") == ["signed_curve25519": 0])
    #expect(first.at("extensions", "e2ee", "device_unused_fallback_key_types") == [])
    #expect(first.at("extensions", "e2ee", "device_lists") == nil)
    try await server.change(.join, room, by: carol)
    // The client does not look at any room now.
    let second = try await server.slide(["extensions": keys], from: first.pos)
    #expect(second.at("extensions", "e2ee", "device_lists") == ["changed": ["@carol:test"], "left": []])
    try await server.change(.leave, room, by: carol)
    let third = try await server.slide(["extensions": keys], from: second.pos)
    #expect(third.at("extensions", "e2ee", "device_lists") == ["changed": [], "left": ["@carol:test"]])
    let fourth = try await server.slide(["extensions": keys], from: third.pos)
    #expect(fourth.at("extensions", "e2ee", "device_lists") == ["changed": [], "left": []])
  }

  @Test func accountDataComesWithRoomsAndThenAsItChanges() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(2)
    let data = server.services.accountData
    let content = try JSON.object(["a": 1]).document()
    _ = try await data.set(bob.userID, type: "org.example", content: content)
    _ = try await data.set(bob.userID, room: rooms[1], type: "org.example.room", content: content)
    _ = try await data.setTag(bob.userID, room: rooms[1], tag: "u.tag", content: content)
    let extensions: JSON = ["account_data": ["enabled": true]]
    let first = try await server.slide(.list(extensions: extensions))
    let whole = first.at("extensions", "account_data")
    #expect(Self.types(whole?["global"]) == ["m.push_rules", "org.example"])
    #expect(Self.types(whole?.at("rooms", rooms[1].rawValue)) == ["m.tag", "org.example.room"])
    #expect(whole?.at("rooms", rooms[0].rawValue) == [])
    let second = try await server.slide(.list(extensions: extensions), from: first.pos)
    #expect(second.at("extensions", "account_data") == ["global": [], "rooms": [:]])
    // Outside the window nothing is sent, and nothing is lost.
    _ = try await data.set(bob.userID, room: rooms[0], type: "org.example.away", content: content)
    _ = try await data.removeTag(bob.userID, room: rooms[1], tag: "u.tag")
    let third = try await server.slide(.list([[0, 0]], extensions: extensions), from: second.pos)
    #expect(third.at("extensions", "account_data", "rooms")?.members?.keys.map { $0 } == [rooms[1].rawValue])
    #expect(third.at("extensions", "account_data", "rooms", rooms[1].rawValue)?[0]?["content"] == ["tags": [:]])
    let fourth = try await server.slide(.list(extensions: extensions), from: third.pos)
    #expect(Self.types(fourth.at("extensions", "account_data", "rooms", rooms[0].rawValue)) == ["org.example.away"])
    #expect(fourth.at("extensions", "account_data", "rooms")?.members?.count == 1)
  }

  @Test func receiptsComeForTheTimelineAndThenAsTheyAreGiven() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(2)
    let old = try await server.say("old", rooms[1])
    try await server.read(old, rooms[1], by: alice)
    try await server.read(old, rooms[1], by: bob)
    let shown = try await server.say("shown", rooms[1])
    try await server.change(.join, rooms[1], by: carol)
    try await server.read(shown, rooms[1], by: carol)
    try await server.read(shown, rooms[1], by: alice, type: "m.read.private")
    let extensions: JSON = ["receipts": ["enabled": true]]
    let first = try await server.slide(.list(limit: 2, extensions: extensions))
    let events = first.at("extensions", "receipts", "rooms", rooms[1].rawValue)
    #expect(events?["type"] == "m.receipt")
    #expect(events?.at("content", shown.rawValue, "m.read")?.members?.keys.map { $0 } == ["@carol:test"])
    #expect(events?.at("content", old.rawValue, "m.read")?.members?.keys.map { $0 } == ["@bob:test"], "the own one")
    #expect(events?.at("content", shown.rawValue, "m.read.private") == nil)
    let second = try await server.slide(.list(limit: 2, extensions: extensions), from: first.pos)
    #expect(second.at("extensions", "receipts") == ["rooms": [:]])
    let away = try await server.say("away", rooms[0])
    try await server.say("near", rooms[1])
    try await server.read(away, rooms[0], by: alice)
    let third = try await server.slide(.list([[0, 0]], limit: 2, extensions: extensions), from: second.pos)
    #expect(third.at("extensions", "receipts") == ["rooms": [:]])
    let fourth = try await server.slide(.list(limit: 2, extensions: extensions), from: third.pos)
    #expect(fourth.at("extensions", "receipts", "rooms", rooms[0].rawValue, "content", away.rawValue) != nil)
  }

  @Test func whoTypesIsSentForTheRoomsThatAreAskedFor() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(2)
    for room in rooms { try await server.services.typing.announce(alice, in: room, isTyping: true, timeout: 30_000) }
    func typing(_ scope: JSON) async throws -> Set<Text> {
      var wanted = scope.members ?? [:]
      wanted["enabled"] = true
      let answer = try await server.slide(
        .list(
          [[0, 0]], extensions: ["typing": .object(wanted)],
          subscriptions: .object([rooms[0].rawValue: ["timeline_limit": 1, "required_state": []]])))
      return Set(answer.at("extensions", "typing", "rooms")?.members.map { $0.keys } ?? [:].keys)
    }
    let (away, near) = (rooms[0].rawValue, rooms[1].rawValue)
    #expect(try await typing([:]) == [away, near])
    #expect(try await typing(["rooms": [], "lists": ["*"]]) == [near])
    #expect(try await typing(["rooms": [.string(away)], "lists": []]) == [away])
    #expect(try await typing(["rooms": [], "lists": ["all"]]) == [near])
    #expect(try await typing(["rooms": nil, "lists": ["none"]]) == [])
    let answer = try await server.slide(.list(extensions: ["typing": ["enabled": true]]))
    #expect(
      answer.at("extensions", "typing", "rooms", near) == [
        "type": "m.typing", "content": ["user_ids": ["@alice:test"]],
      ])
  }

  @Test func whatIsNotWantedIsNotThere() async throws {
    let server = try await SyncFixture()
    let names =
      ["to_device", "e2ee", "account_data", "receipts", "typing", "io.element.msc4308.thread_subscriptions"] as [Text]
    for isEnabled in [JSON.bool(false), .null] {
      let off: JSON = .object(Dictionary(uniqueKeysWithValues: names.map { ($0, ["enabled": isEnabled]) }))
      #expect(try await server.slide(["extensions": off])["extensions"] == [:])
    }
    #expect(try await server.slide(["extensions": ["org.example": ["enabled": true]]])["extensions"] == [:])
  }

  @Test func changesOfSubscriptionsAreReadNewestLast() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    var roots: [EventID] = []
    for (id, user, isSubscribed) in [(3, bob, true), (4, alice, true), (5, bob, false)] as [(Int64, Requester, Bool)] {
      let root = try await server.say("root", room)
      roots.append(root)
      _ = try await server.database.client.run(
        """
        WITH account AS (INSERT INTO users (name) VALUES (\(user.userID.rawValue)) ON CONFLICT DO NOTHING)
        INSERT INTO thread_subscriptions (stream_id, instance_name, room_id, event_id, user_id, subscribed, automatic)
        VALUES (\(id)::integer, 'master', \(room.rawValue), \(root.rawValue), \(user.userID.rawValue),
          \(isSubscribed)::boolean, true)
        """)
    }
    let store = SyncStore(server.stores.context)
    let all = try await store.threadSubscriptions(of: bob.userID, after: 0, upTo: 9, limit: 9)
    #expect(all.map(\.streamID) == [3, 5] && all.map(\.isSubscribed) == [true, false])
    #expect(all.map(\.root) == [roots[0], roots[2]] && all.map(\.room) == [room, room])
    #expect(try await store.threadSubscriptions(of: bob.userID, after: 0, upTo: 9, limit: 1).map(\.streamID) == [5])
    #expect(try await store.threadSubscriptions(of: bob.userID, after: 3, upTo: 4, limit: 9).isEmpty)
  }

  // MARK: Waiting

  @Test func aClientWaitsForNewsOfAnyKind() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    try await server.addDevice(bob)
    let extensions: JSON = [
      "to_device": ["enabled": true], "typing": ["enabled": true], "account_data": ["enabled": true],
    ]
    var last = try await server.slide(.list(extensions: extensions))
    let happenings: [@Sendable () async throws -> Void] = [
      { try await server.say("hello", room) },
      { try await server.services.typing.announce(SyncFixture.alice, in: room, isTyping: true, timeout: 30_000) },
      { _ = try await server.services.accountData.set(SyncFixture.bob.userID, type: "a", content: .emptyObject) },
      { try await server.send("x", to: SyncFixture.bob) },
    ]
    for happen in happenings {
      await server.hub.waitUntilIdle()
      let from = last.pos
      async let answer = server.slideNow(.list(extensions: extensions), from: from, timeout: 60_000)
      while server.services.notifier.waitingCount == 0 { await Task.yield() }
      try await happen()
      last = try await answer
      #expect(last["rooms"] != [:] || last["extensions"] != nil)
    }
    #expect(last.at("extensions", "to_device", "events")?.elements?.count == 1)
  }

  @Test func aClientDoesNotWaitWhenItWantsMoreThanBefore() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(2)
    let first = try await server.slide(.list([[0, 0]]))
    let second = try await server.slide(.list([[0, 1]]), from: first.pos, timeout: 600_000)
    #expect(second.slidRooms == [rooms[0].rawValue])
    let third = try await server.slide(
      .list([[0, 1]], state: [["m.room.create", ""]]), from: second.pos, timeout: 600_000)
    #expect(third.slidState(rooms[0]) == ["m.room.create|"])
  }

  @Test func anEmptyAnswerComesWhenTheTimeIsUp() async throws {
    let server = try await SyncFixture()
    _ = try await server.busyRooms(1)
    let first = try await server.slide(.list())
    let second = try await server.slide(.list(), from: first.pos, timeout: 1)
    #expect(second["rooms"] == [:] && second.at("lists", "all", "count") == 1)
  }

  private static func types(_ items: JSON?) -> Set<Text> {
    Set((items?.elements ?? []).compactMap { $0["type"]?.string })
  }
}

extension SyncFixture {
  fileprivate func send(_ text: Text, to receiver: Requester) async throws {
    var writer = JSONWriter()
    writer.value(JSON.object(["type": "a", "sender": "@alice:test", "content": ["text": .string(text)]]))
    _ = try await users.toDevice.add(local: [receiver.userID: [receiver.deviceID ?? "": writer.bytes]], remote: [:])
  }

  fileprivate func read(_ event: EventID, _ room: RoomID, by user: Requester, type: Text = "m.read") async throws {
    let receipt = Receipt(
      room: room, type: type, user: user.userID, eventID: event.rawValue, threadID: nil, data: Array(#"{"ts":1}"#.utf8))
    _ = try await users.receipts.insert(receipt)
  }
}
