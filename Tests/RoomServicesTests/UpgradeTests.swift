import MatrixEvents
import MatrixPrimitives
import Stores
import Synchronization
import Testing

@testable import RoomServices

@Suite struct UpgradeTests {
  private static let alice = UserID(unchecked: "@alice:test")

  private func levels(_ text: Text) throws -> UpgradedPowerLevels { UpgradedPowerLevels(try JSONValue.parse(text)) }

  @Test func levelsBecomeIntegers() throws {
    let levels = try levels(#"{"ban":"50","kick":[],"users":{"@a:b":" 7 ","@c:d":1.5},"events":{"x":9}}"#)
    #expect(levels.content == ["ban": 50, "users": ["@a:b": 7], "events": ["x": 9]])
  }

  @Test func whoUpgradesIsRaisedAsFarAsNeeded() throws {
    let raised = try levels(#"{"users":{"@alice:test":50},"events":{"m.room.name":90}}"#)
      .initial(for: Self.alice, without: [])
    #expect(raised["users"] == ["@alice:test": 90])
    let enough = try levels(#"{"users":{"@alice:test":100}}"#).initial(for: Self.alice, without: [])
    #expect(enough["users"] == ["@alice:test": 100])
    let creator = try levels(#"{"users":{"@alice:test":100,"@bob:test":50}}"#)
      .initial(for: Self.alice, without: [Self.alice])
    #expect(creator["users"] == ["@bob:test": 50])
  }

  @Test func theOldRoomFallsSilent() throws {
    #expect(try levels("{}").silenced == ["invite": 50, "events_default": 50])
    #expect(try levels(#"{"users_default":60}"#).silenced?["events_default"] == 61)
    #expect(try levels(#"{"invite":50,"events_default":70}"#).silenced == nil)
    #expect(try levels(#"{"users_default":9223372036854775807}"#).silenced == nil)
  }

  @Test func aliasesMoveTogether() async throws {
    let server = try await RoomFixture()
    let (old, new) = (try await server.createRoom(), try await server.createRoom())
    for name in ["a", "b"] as [Text] {
      try await server.stores.directory.create(
        RoomAlias(localpart: name, serverName: "test"), roomID: old, servers: ["test"], creator: Self.alice)
    }
    try await server.stores.directory.moveAliases(from: old, to: new)
    #expect(try await server.stores.directory.aliases(of: old).isEmpty)
    #expect(try await server.stores.directory.aliases(of: new) == ["#a:test", "#b:test"])
  }

  @Test func whatUsersSaidIsCarriedByThoseWhoKnowOfIt() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: RoomFixture.bob)
    let carried = Mutex<[(RoomID, RoomID, Set<UserID>)]>([])
    server.rooms.upgrades.successors.add { old, new, users in
      carried.withLock { $0.append((old, new, Set(users))) }
    }
    let request = try RoomUpgradeRequest(try JSONValue.parse(#"{"new_version":"11"}"#))
    let new = try await server.rooms.upgrades.upgrade(room, request, requester: RoomFixture.alice)
    let calls = carried.withLock { $0 }
    #expect(calls.count == 1)
    #expect(calls.first?.0 == room)
    #expect(calls.first?.1 == new)
    #expect(calls.first?.2 == [Self.alice, RoomFixture.bob.userID])
  }

  @Test func usersWithDataAboutARoomAreFound() async throws {
    let server = try await RoomFixture()
    let room = RoomID(unchecked: "!a:test")
    let (alice, bob) = (Self.alice, RoomFixture.bob.userID)
    _ = try await server.database.client.run(
      "INSERT INTO room_tags (user_id, room_id, tag, content) VALUES (\(alice.rawValue), \(room.rawValue), 'u.a', '{}')"
    )
    _ = try await server.database.client.run(
      """
      INSERT INTO account_data (user_id, account_data_type, stream_id, content)
      VALUES (\(bob.rawValue), 'm.direct', 1, '{"@x:y":["!a:test"]}')
      """)
    _ = try await server.database.client.run(
      """
      INSERT INTO push_rules (id, user_name, rule_id, priority_class, priority, conditions, actions)
      VALUES (1, \(bob.rawValue), 'global/room/!a:test', 3, 0,
        '[{"kind":"event_match","key":"room_id","pattern":"!a:test"}]', '[]')
      """)
    let users = [alice, bob, RoomFixture.carol.userID]
    #expect(Set(try await server.accountData.usersWithData(about: room, among: users)) == [alice, bob])
    #expect(try await server.accountData.usersWithData(about: room, among: [RoomFixture.carol.userID]).isEmpty)
    #expect(try await server.push.rules.usersWithRules(naming: room, among: users) == [bob])
    #expect(try await server.push.rules.usersWithRules(naming: room, among: []).isEmpty)
  }
}
