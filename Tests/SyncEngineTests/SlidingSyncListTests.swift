import MatrixPrimitives
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// The lists of a sliding sync: order, ranges and filters.
@Suite struct SlidingSyncListTests {
  let bob = SyncFixture.bob

  @Test func listsAreOrderedByTheNewestEventAndCutToTheRanges() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(3)
    try await server.say("newest", rooms[1])
    let order = [rooms[1], rooms[2], rooms[0]].map(\.rawValue)
    let whole = try await server.slide(.list())
    #expect(whole.listed == order)
    #expect(whole.at("lists", "all", "count")?.integer == 3)
    #expect(whole.at("lists", "all", "ops")?[0]?["op"] == "SYNC")
    #expect(whole.at("lists", "all", "ops")?[0]?["range"] == [0, 99])
    let first = try await server.slide(.list([[0, 0], [2, 5], [9, 12], [3, 1]]))
    let ops = first.at("lists", "all", "ops")?.elements ?? []
    #expect(ops.map { $0["room_ids"] } == [[.string(order[0])], [.string(order[2])], [], []])
    #expect(first.slidRooms == [order[0], order[2]])
    #expect(first.at("lists", "all", "count")?.integer == 3)
  }

  @Test func aListWithoutRangesOnlyCounts() async throws {
    let server = try await SyncFixture()
    _ = try await server.busyRooms(2)
    let answer = try await server.slide(.list([]))
    #expect(answer.at("lists", "all") == ["count": 2, "ops": []])
    #expect(answer["rooms"] == [:])
  }

  @Test func roomsGrowIntoTheWindowAndAreNotSentTwice() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(4).reversed().map(\.rawValue)
    let first = try await server.slide(.list([[0, 1]]))
    #expect(first.slidRooms == Set(rooms.prefix(2)))
    let second = try await server.slide(.list([[0, 3]]), from: first.pos)
    #expect(second.slidRooms == Set(rooms.suffix(2)))
    #expect(try await server.slide(.list([[0, 3]]), from: second.pos).slidRooms == [])
  }

  @Test func aRoomOutsideTheWindowComesWithWhatItHasMissed() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(3)
    let all = try await server.slide(.list(limit: 2))
    try await server.say("missed", rooms[0])
    try await server.say("above it", rooms[1])
    let away = try await server.slide(.list([[0, 0]], limit: 2), from: all.pos)
    #expect(away.slidRooms == [rooms[1].rawValue])
    let back = try await server.slide(.list(limit: 2), from: away.pos)
    #expect(back.slidRooms == [rooms[0].rawValue])
    #expect(back.slidBodies(rooms[0]) == ["missed"])
    #expect(back.slid(rooms[0])?["initial"] == nil && back.slid(rooms[0])?["limited"] == false)
    // Nothing of it has come since the token of the request, though all of it is new to the client.
    #expect(back.slid(rooms[0])?["num_live"] == 0)
    for text in ["a", "b", "c"] as [Text] { try await server.say(text, rooms[0]) }
    try await server.say("above it", rooms[1])
    let gap = try await server.slide(.list([[0, 0]], limit: 2), from: back.pos)
    let limited = try await server.slide(.list(limit: 2), from: gap.pos)
    #expect(limited.slidBodies(rooms[0]) == ["b", "c"])
    #expect(limited.slid(rooms[0])?["limited"] == true)
  }

  // MARK: Filters

  @Test func filtersByEncryptionTypeNameAndMembership() async throws {
    let server = try await SyncFixture()
    let plain = try await server.busyRooms(1)[0]
    let secret = try await server.createRoom(SyncFixture.alice, ["preset": "public_chat", "name": "Grüne STUBE"])
    let space = try await server.createRoom(
      SyncFixture.alice, ["preset": "public_chat", "creation_content": ["type": "m.space"]])
    for room in [secret, space] { try await server.change(.join, room, by: bob) }
    try await server.set("m.room.encryption", ["algorithm": "m.megolm.v1.aes-sha2"], secret)
    let invite = try await server.createRoom(SyncFixture.alice, ["name": "Invited"])
    try await server.change(.invite, invite, by: SyncFixture.alice, of: bob)
    let wanted: [(JSON, [RoomID])] = [
      (["is_encrypted": true], [secret]), (["is_encrypted": false], [invite, space, plain]),
      (["is_invite": true], [invite]), (["is_invite": false], [secret, space, plain]),
      (["room_types": ["m.space"]], [space]), (["room_types": [nil]], [invite, secret, plain]),
      (["not_room_types": ["m.space"]], [invite, secret, plain]),
      (["room_types": ["m.space", nil], "not_room_types": [nil]], [space]),
      (["room_name_like": "grüne stu"], [secret]), (["room_name_like": "INVITE"], [invite]),
      (["room_name_like": "none"], []), (["is_encrypted": true, "is_invite": true], []),
    ]
    for (filter, rooms) in wanted {
      let answer = try await server.slide(.list(filters: filter))
      #expect(Set(answer.listed) == Set(rooms.map(\.rawValue)), "\(filter)")
      #expect(answer.at("lists", "all", "count")?.integer == Int64(rooms.count))
    }
  }

  @Test func filtersByAccountData() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(3)
    let direct: JSON = .object(["@alice:test": [.string(rooms[0].rawValue), 7], "x": "y"])
    _ = try await server.services.accountData.set(bob.userID, type: "m.direct", content: try direct.document())
    for (tag, room) in [("a", 1), ("b", 1), ("b", 2)] as [(Text, Int)] {
      _ = try await server.services.accountData.setTag(bob.userID, room: rooms[room], tag: tag, content: .emptyObject)
    }
    let wanted: [(JSON, [Int])] = [
      (["is_dm": true], [0]), (["is_dm": false], [1, 2]), (["tags": ["a", "c"]], [1]), (["tags": ["b"]], [1, 2]),
      (["not_tags": ["a"]], [0, 2]), (["tags": ["b"], "not_tags": ["a"]], [2]), (["tags": []], []),
    ]
    for (filter, indices) in wanted {
      let answer = try await server.slide(.list(filters: filter))
      #expect(Set(answer.listed) == Set(indices.map { rooms[$0].rawValue }), "\(filter)")
    }
    let answer = try await server.slide(.list())
    #expect(answer.slid(rooms[0])?["is_dm"] == true && answer.slid(rooms[1])?["is_dm"] == nil)
  }

  @Test func filtersBySpacesThatTheUserIsIn() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(3)
    var spaces: [RoomID] = []
    for _ in 0..<3 {
      spaces.append(
        try await server.createRoom(
          SyncFixture.alice, ["preset": "public_chat", "creation_content": ["type": "m.space"]]))
    }
    for space in spaces.prefix(2) { try await server.change(.join, space, by: bob) }
    try await server.setChild(rooms[0], in: spaces[0], ["via": ["test"]])
    try await server.setChild(rooms[1], in: spaces[0], [:])
    try await server.setChild(rooms[1], in: spaces[1], ["via": ["test"]])
    try await server.setChild(rooms[2], in: spaces[2], ["via": ["test"]])
    func listed(_ spaces: [RoomID]) async throws -> Set<Text> {
      let filter: JSON = ["spaces": .array(spaces.map { .string($0.rawValue) })]
      return Set(try await server.slide(.list(filters: filter)).listed)
    }
    #expect(try await listed([spaces[0]]) == [rooms[0].rawValue])
    #expect(try await listed(Array(spaces.prefix(2))) == [rooms[0].rawValue, rooms[1].rawValue])
    #expect(try await listed([spaces[2]]) == [], "Bob is not in it")
  }

  @Test func anOverlapGetsTheGreaterOfBothWishes() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    let answer = try await server.slide([
      "lists": [
        "a": ["ranges": [[0, 0]], "timeline_limit": 1, "required_state": [["m.room.create", ""]]],
        "b": ["ranges": [[0, 0]], "timeline_limit": 4, "required_state": [["m.room.member", "$ME"]]],
      ],
      "room_subscriptions": .object([
        room.rawValue: ["timeline_limit": 2, "required_state": [["m.room.power_levels", ""]]]
      ]),
    ])
    #expect(answer.slid(room)?["timeline"]?.elements?.count == 4)
    #expect(
      answer.slidState(room) == ["m.room.create|", "m.room.member|@bob:test", "m.room.power_levels|"])
  }
}

extension SyncFixture {
  fileprivate func setChild(_ room: RoomID, in space: RoomID, _ content: JSON) async throws {
    _ = try await rooms.submitter.submit(
      ClientEventDraft(roomID: space, type: "m.space.child", stateKey: room.rawValue, content: content),
      requester: Self.alice)
  }
}
