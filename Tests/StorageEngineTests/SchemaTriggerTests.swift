import ByteText
import Postgres
import StorageEngine
import TestSupport
import Testing

@Suite struct SchemaTriggerTests {
  private static let event: SQL = """
    INSERT INTO events (topological_ordering, event_id, type, room_id, depth, stream_ordering, processed, outlier,
      origin_server_ts, received_ts, sender, contains_url)
    VALUES (1, '$e', 't', '!r', 1, 5, true, false, 0, 0, '@a:b', false)
    """

  @Test func aRowThatContradictsItsEventIsRefused() async throws {
    let client = try await TestDatabase.withSchema().client
    try await client.run(Self.event)
    let insert: @Sendable (Int64) -> SQL = { ordering in
      """
      INSERT INTO current_state_events (event_id, room_id, type, state_key, event_stream_ordering)
      VALUES ('$e', '!r', 't', '', \(ordering))
      """
    }
    await #expect(throws: PostgresError.self) { try await client.run(insert(6)) }
    try await client.run(insert(5))
    await #expect(throws: PostgresError.self) {
      try await client.run("UPDATE current_state_events SET event_stream_ordering = 7")
    }
    try await client.run("INSERT INTO rooms (room_id) VALUES ('!r'), ('!other')")
    try await client.run(
      "INSERT INTO partial_state_rooms (room_id, device_lists_stream_id) VALUES ('!r', 1), ('!other', 1)")
    await #expect(throws: PostgresError.self) {
      try await client.run("INSERT INTO partial_state_events (room_id, event_id) VALUES ('!other', '$e')")
    }
    try await client.run("INSERT INTO partial_state_events (room_id, event_id) VALUES ('!r', '$e')")
  }

  private func take(_ client: PostgresClient, _ token: Text, isWrite: Bool) async throws {
    try await client.run(
      """
      INSERT INTO worker_read_write_locks (lock_name, lock_key, instance_name, write_lock, token, last_renewed_ts)
      VALUES ('n', 'k', 'i', \(isWrite), \(token), 0)
      """)
  }

  private func drop(_ client: PostgresClient, _ token: Text) async throws {
    try await client.run("DELETE FROM worker_read_write_locks WHERE token = \(token)")
  }

  @Test func readersShareALockAndAWriterHasItAlone() async throws {
    let client = try await TestDatabase.withSchema().client
    try await take(client, "r1", isWrite: false)
    try await take(client, "r2", isWrite: false)
    await #expect(throws: PostgresError.self) { try await take(client, "w1", isWrite: true) }
    // The first reader's token stands in the mode row, which passes to the second.
    try await drop(client, "r1")
    #expect(try await client.run("SELECT token FROM worker_read_write_locks_mode")[0].get(0, as: Text.self) == "r2")
    await #expect(throws: PostgresError.self) { try await take(client, "w1", isWrite: true) }
    try await drop(client, "r2")
    #expect(try await client.run("SELECT 1 FROM worker_read_write_locks_mode").isEmpty)
    try await take(client, "w1", isWrite: true)
    await #expect(throws: PostgresError.self) { try await take(client, "w2", isWrite: true) }
    await #expect(throws: PostgresError.self) { try await take(client, "r3", isWrite: false) }
    try await drop(client, "w1")
    try await take(client, "r4", isWrite: false)
  }
}
