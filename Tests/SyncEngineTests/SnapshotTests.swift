import MatrixPrimitives
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// The endpoints that were before `/sync`.
@Suite struct SnapshotTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob
  let carol = SyncFixture.carol

  private func all(_ server: SyncFixture, _ user: Requester, limit: Int = 10, left: Bool = false) async throws -> JSON {
    await server.hub.waitUntilIdle()
    let snapshots = server.services.snapshots
    let overview = try await snapshots.overview(
      SnapshotService.Query(requester: user, limit: limit, includesLeft: left))
    var rooms: [JSON] = []
    for group in overview.groups {
      for room in try await snapshots.rooms(group, of: overview) { rooms.append(try JSON.parse(room)) }
    }
    let rest = try JSON.parse(Array("{".utf8) + (try await snapshots.remainder(overview)))
    guard case .object(var members) = rest else { return .null }
    members["rooms"] = .array(rooms)
    return .object(members)
  }

  private func room(_ answer: JSON, _ id: RoomID) -> JSON? {
    answer["rooms"]?.elements?.first { $0["room_id"]?.string == id.rawValue }
  }

  private func bodies(_ room: JSON?) -> [Text] {
    room?.at("messages", "chunk")?.elements?.compactMap { $0.at("content", "body")?.string } ?? []
  }

  @Test func allRoomsComeWithStateAndNewestEvents() async throws {
    let server = try await SyncFixture()
    let joined = try await server.createRoom()
    let invited = try await server.createRoom(alice, ["preset": "private_chat"])
    try await server.change(.join, joined, by: bob)
    for number in 0..<3 { try await server.say("\(number)", joined) }
    try await server.change(.invite, invited, by: alice, of: bob)
    try await server.services.accountData.set(
      bob.userID, room: joined, type: "org.note", content: try (["n": 1] as JSON).document())
    let answer = try await all(server, bob, limit: 2)
    #expect(bodies(room(answer, joined)) == ["1", "2"])
    #expect(room(answer, joined)?["membership"] == "join" && room(answer, joined)?["visibility"] == "private")
    #expect(room(answer, joined)?["state"]?.elements?.contains { $0["type"] == "m.room.create" } == true)
    #expect(room(answer, joined)?["account_data"] == [["type": "org.note", "content": ["n": 1]]])
    #expect(room(answer, invited)?["inviter"] == "@alice:test" && room(answer, invited)?["messages"] == nil)
    #expect(room(answer, invited)?.at("invite", "content", "membership") == "invite")
    #expect(try await server.services.token(answer["end"]?.string) != nil)
    let page = try #require(room(answer, joined)?.at("messages", "start")?.string)
    #expect(try await server.rooms.history.token(page) != nil)
  }

  @Test func roomsThatWereLeftComeWhenAskedForAsTheyWere() async throws {
    let server = try await SyncFixture()
    let id = try await server.createRoom()
    try await server.change(.join, id, by: bob)
    try await server.say("seen", id)
    try await server.change(.leave, id, by: bob)
    try await server.say("not seen", id)
    #expect(room(try await all(server, bob), id) == nil)
    let left = room(try await all(server, bob, left: true), id)
    #expect(bodies(left) == ["seen"] && left?["membership"] == "leave")
    let declined = try await server.createRoom(alice, ["preset": "private_chat"])
    try await server.change(.invite, declined, by: alice, of: bob)
    try await server.change(.leave, declined, by: bob)
    #expect(room(try await all(server, bob, left: true), declined)?["state"] == nil, "never was in the room")
  }

  @Test func oneRoomIsShownToMembersToThoseWhoLeftAndToAllWhereAllMayRead() async throws {
    let server = try await SyncFixture()
    let id = try await server.createRoom()
    try await server.change(.join, id, by: bob)
    try await server.say("hello", id)
    func one(_ user: Requester) async throws -> JSON {
      await server.hub.waitUntilIdle()
      return try JSON.parse(
        try await server.services.snapshots.room(id, SnapshotService.Query(requester: user, limit: 10)))
    }
    let mine = try await one(bob)
    #expect(mine["membership"] == "join" && bodies(mine) == ["hello"])
    #expect(mine["presence"]?.elements?.count == 2)
    await #expect(throws: MatrixError.self) { _ = try await one(carol) }
    try await server.change(.leave, id, by: bob)
    try await server.say("later", id)
    let left = try await one(bob)
    #expect(left["membership"] == "leave" && bodies(left) == ["hello"] && left["presence"] == [])
    try await server.set("m.room.history_visibility", ["history_visibility": "world_readable"], id)
    try await server.say("for all", id)
    let peeked = try await one(carol)
    #expect(peeked["membership"] == nil && bodies(peeked) == ["for all"])
    #expect(peeked["state"]?.elements?.isEmpty == false)
  }

  // MARK: The stream of events

  private func events(
    _ server: SyncFixture, _ user: Requester, from: Text?, room: RoomID? = nil, limit: Int = 10, timeout: Int64 = 0
  ) async throws -> JSON {
    if timeout == 0 { await server.hub.waitUntilIdle() }
    let query = EventStreamService.Query(
      requester: user, from: try await server.services.token(from), room: room, limit: limit,
      timeoutMilliseconds: timeout, isRaw: false)
    let body: [UInt8] = try await withCheckedThrowingContinuation { continuation in
      Task {
        do {
          _ = try await server.services.eventStream.begin(query) { continuation.resume(with: $0) }
        } catch { continuation.resume(throwing: error) }
      }
    }
    return try JSON.parse(body)
  }

  @Test func theStreamGoesOnFromWhereItEnded() async throws {
    let server = try await SyncFixture()
    let id = try await server.createRoom()
    try await server.change(.join, id, by: bob)
    let start = try await events(server, bob, from: nil)
    #expect(start["chunk"] == [] && start["start"] == start["end"])
    for number in 0..<3 { try await server.say("\(number)", id) }
    var (found, token): ([Text], Text?) = ([], start["end"]?.string)
    for _ in 0..<3 {
      let page = try await events(server, bob, from: token, limit: 2)
      found += page["chunk"]?.elements?.compactMap { $0.at("content", "body")?.string } ?? []
      token = page["end"]?.string
    }
    #expect(found == ["0", "1", "2"], "nothing twice, nothing left out")
    server.services.typing.setTyping(alice.userID, in: id, isTyping: true, timeout: 5000)
    let typing = try await events(server, bob, from: token)
    #expect(
      typing["chunk"]?.elements?.contains(
        ["type": "m.typing", "room_id": .string(id.rawValue), "content": ["user_ids": ["@alice:test"]]]) == true)
  }

  @Test func whoWaitsIsWokenByNews() async throws {
    let server = try await SyncFixture()
    let id = try await server.createRoom()
    try await server.change(.join, id, by: bob)
    let token = try await events(server, bob, from: nil)["end"]?.string
    async let answer = events(server, bob, from: token, timeout: 60_000)
    while server.services.notifier.waitingCount == 0 { await Task.yield() }
    try await server.say("news", id)
    #expect(try await answer["chunk"]?.elements?.contains { $0.at("content", "body") == "news" } == true)
  }

  @Test func strangersSeeOnlyRoomsThatAllMayRead() async throws {
    let server = try await SyncFixture()
    let id = try await server.createRoom()
    let token = try await events(server, alice, from: nil)["end"]?.string
    await #expect(throws: MatrixError.self) { _ = try await events(server, carol, from: nil, room: id) }
    try await server.set("m.room.history_visibility", ["history_visibility": "world_readable"], id)
    try await server.say("for all", id)
    let seen = try await events(server, carol, from: token, room: id)
    #expect(seen["chunk"]?.elements?.contains { $0.at("content", "body") == "for all" } == true)
    async let answer = events(server, carol, from: seen["end"]?.string, room: id, timeout: 60_000)
    while server.services.notifier.waitingCount == 0 { await Task.yield() }
    try await server.say("live", id)
    #expect(try await answer["chunk"]?.elements?.contains { $0.at("content", "body") == "live" } == true)
    let own = try await events(server, carol, from: token)
    #expect(own["chunk"] == [], "only what was asked for by name")
  }

  @Test func invitationsAndLeavesAreNews() async throws {
    let server = try await SyncFixture()
    let id = try await server.createRoom(alice, ["preset": "private_chat"])
    let token = try await events(server, bob, from: nil)["end"]?.string
    try await server.change(.invite, id, by: alice, of: bob)
    let invited = try await events(server, bob, from: token)
    #expect(invited["chunk"]?.elements?.first?.at("content", "membership") == "invite")
    try await server.change(.join, id, by: bob)
    let joined = try await events(server, bob, from: invited["end"]?.string)
    try await server.change(.kick, id, by: alice, of: bob)
    let left = try await events(server, bob, from: joined["end"]?.string)
    #expect(left["chunk"]?.elements?.contains { $0.at("content", "membership") == "leave" } == true)
  }
}
