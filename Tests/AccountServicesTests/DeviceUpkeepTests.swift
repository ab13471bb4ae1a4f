import MatrixPrimitives
import Postgres
import Testing

@testable import AccountServices

@Suite struct DeviceUpkeepTests {
  private func announced(_ server: AccountFixture) async throws -> [Text] {
    try await server.stores.context.database.run("SELECT device_id FROM device_lists_stream ORDER BY stream_id").map {
      try $0.get(0)
    }
  }

  @Test func `removes devices that nobody has used for long, with their sessions, and no others`() async throws {
    let server = try await AccountFixture(settings: "delete_stale_devices_after: 1h")
    let alice = try await server.register("alice", device: "OLD").userID
    for device in ["NEW", "NEVER"] as [Text] { _ = try await server.open(alice, device) }
    let database = server.stores.context.database
    let now = ServerClock.system.nowMilliseconds
    _ = try await database.run("UPDATE devices SET last_seen = \(now - 3_700_000) WHERE device_id = 'OLD'")
    _ = try await database.run("UPDATE devices SET last_seen = \(now - 3_500_000) WHERE device_id = 'NEW'")
    _ = try await database.run(
      """
      INSERT INTO devices (user_id, device_id, hidden, last_seen)
      VALUES ('@alice:test', 'KEY', true, 1), ('@far:elsewhere', 'OLD', false, 1)
      """)
    try await server.accounts.devices.deleteStale()
    #expect(try await server.deviceIDs(of: alice) == ["NEW", "NEVER"])
    let kept = try await database.run("SELECT 1 FROM devices WHERE device_id = 'KEY' OR user_id = '@far:elsewhere'")
    #expect(kept.count == 2)
    let tokens = try await database.run("SELECT 1 FROM access_tokens WHERE device_id = 'OLD'")
    #expect(tokens.isEmpty)
    #expect(try await announced(server).contains("OLD"))
  }

  @Test func `removes nothing unless the configuration says when`() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice").userID
    _ = try await server.stores.context.database.run("UPDATE devices SET last_seen = 1")
    try await server.accounts.devices.deleteStale()
    #expect(try await server.deviceIDs(of: alice) == ["D"])
  }

  @Test func `announces new devices, but not those of users who are to have quiet ones`() async throws {
    let server = try await AccountFixture(settings: "dont_notify_new_devices_for: ['@bot:test']")
    _ = try await server.register("bot", device: "QUIET")
    _ = try await server.register("alice", device: "LOUD")
    #expect(try await announced(server) == ["LOUD"])
  }
}
