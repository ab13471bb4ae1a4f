import ByteText
import Logging
import Postgres
import TestSupport
import Testing

@testable import StorageEngine

@Suite("Stream ids from the database")
struct StreamIDGeneratorTests {
  private func generator(
    _ client: PostgresClient, instance: Text = "w1", writers: [Text] = ["w1"], isBackward: Bool = false
  ) -> StreamIDGenerator {
    StreamIDGenerator(
      database: client, streamName: isBackward ? "backfill" : "to_device", instanceName: instance, writers: writers,
      sequence: isBackward ? "events_backfill_stream_seq" : "device_inbox_sequence",
      tables: isBackward
        ? [("ex_outlier_stream", "event_stream_ordering", "instance_name")]
        : [("device_inbox", "stream_id", "instance_name"), ("device_federation_outbox", "stream_id", "instance_name")],
      isBackward: isBackward)
  }

  private func store(_ client: PostgresClient, _ id: Int64, by instance: Text) async throws {
    try await client.run(
      """
      INSERT INTO device_inbox (user_id, device_id, stream_id, message_json, instance_name)
      VALUES ('@a:b', 'D', \(id), '{}', \(instance))
      """)
  }

  private func stored(_ client: PostgresClient, _ stream: Text = "to_device") async throws -> [Text: Int64] {
    let rows = try await client.run(
      "SELECT instance_name, stream_id FROM stream_positions WHERE stream_name = \(stream)")
    return Dictionary(uniqueKeysWithValues: try rows.map { try $0.decode(Text.self, Int64.self) })
  }

  @Test("The first id of a new database is 2, and its position is stored")
  func first() async throws {
    let client = try await TestDatabase.withSchema().client
    let ids = generator(client)
    try await ids.load()
    #expect(ids.currentToken == 1)
    let given = try await ids.withIDs(3) { given in
      #expect(ids.currentToken == 1)
      return given
    }
    #expect(given == [2, 3, 4])
    #expect(ids.currentToken == 4)
    #expect(ids.minimalLocalToken == 4)
    await ids.flush()
    #expect(try await stored(client) == ["w1": 4])
  }

  @Test("A backward stream falls, and its stored position with it")
  func backward() async throws {
    let client = try await TestDatabase.withSchema().client
    let ids = generator(client, isBackward: true)
    try await ids.load()
    #expect(ids.currentToken == -1)
    let first = try await ids.allocate(2)
    let second = try await ids.allocate(1)
    #expect(first.ids == [-2, -3])
    second.finish()
    #expect(ids.currentToken == -1)
    first.finish()
    #expect(ids.currentToken == -4)
    await ids.flush()
    #expect(try await stored(client, "backfill") == ["w1": -4])
    let again = generator(client, isBackward: true)
    try await again.load()
    #expect(again.currentToken == -4)
    #expect(again.position(of: "w1") == -4)
  }

  @Test("Ids of a failed write are given up and hold nobody back")
  func failedWrite() async throws {
    struct Failed: Error {}
    let client = try await TestDatabase.withSchema().client
    let ids = generator(client)
    try await ids.load()
    await #expect(throws: Failed.self) { try await ids.withIDs(2) { _ in throw Failed() } }
    #expect(ids.currentToken == 3)
    #expect(try await ids.withIDs(1) { $0 } == [4])
  }

  @Test("Ids taken in a transaction stay in flight until it ends, either way")
  func inTransaction() async throws {
    struct Failed: Error {}
    let client = try await TestDatabase.withSchema().client
    let ids = generator(client)
    try await ids.load()
    let given = try await client.transaction("take") { txn in
      let taken = try ids.allocate(1, in: txn).ids
      #expect(ids.currentToken == 1)
      return taken
    }
    #expect(given == [2])
    #expect(ids.currentToken == 2)
    await #expect(throws: Failed.self) {
      try await client.transaction("fail") { txn in
        _ = try ids.allocate(2, in: txn)
        throw Failed()
      }
    }
    #expect(ids.currentToken == 4)
  }

  @Test("A process that is no writer gets no ids")
  func reader() async throws {
    let client = try await TestDatabase.withSchema().client
    let ids = generator(client, instance: "reader")
    try await ids.load()
    await #expect(throws: StreamIDError.self) { try await ids.allocate(1) }
    let writer = generator(client)
    try await writer.load()
    await #expect(throws: StreamIDError.self) { try await writer.allocate(-1) }
    await #expect(throws: StreamIDError.self) { try await writer.allocate(StreamIDGenerator.largestCount + 1) }
    #expect(try await writer.allocate(0).ids == [])
  }

  @Test("A start finds rows whose position was never stored, strikes off former writers and takes the sequence's end")
  func start() async throws {
    let client = try await TestDatabase.withSchema().client
    let ids = generator(client, writers: ["w1", "w2"])
    try await ids.load()
    for instance in ["w1", "w2"] {
      let id = try await ids.withIDs(1) { $0 }.first ?? 0
      try await store(client, id, by: instance)
    }
    await ids.flush()
    try await client.run(
      "INSERT INTO stream_positions (stream_name, instance_name, stream_id) VALUES ('to_device', 'gone', 1), ('to_device', 'w2', 2)"
    )
    let reader = generator(client, instance: "reader", writers: ["w1", "w2"])
    try await reader.load()
    #expect(try await stored(client) == ["w1": 3, "w2": 2])
    #expect(reader.currentToken == 3)
    #expect(reader.positions == ["w1": 3, "w2": 3])
    let second = generator(client, instance: "w2", writers: ["w1", "w2"])
    try await second.load()
    #expect(second.position(of: "w2") == 3)
  }

  @Test("A sequence behind its tables is moved forward")
  func sequenceBehind() async throws {
    let client = try await TestDatabase.withSchema().client
    try await store(client, 40, by: "w1")
    let ids = generator(client)
    try await ids.load()
    #expect(try await ids.withIDs(1) { $0 } == [41])
  }

  @Test("A stored position ahead of the sequence is refused with the remedy")
  func positionAhead() async throws {
    let client = try await TestDatabase.withSchema().client
    try await client.run(
      "INSERT INTO stream_positions (stream_name, instance_name, stream_id) VALUES ('to_device', 'w1', 99)")
    let error = await #expect(throws: StreamIDError.self) { try await generator(client).load() }
    #expect(error?.description.contains("setval('device_inbox_sequence', 99)") == true)
  }

  @Test("Whoever waits for a position goes on when it is reached, or when cancelled")
  func waiting() async throws {
    let client = try await TestDatabase.withSchema().client
    let ids = generator(client, instance: "reader")
    try await ids.load()
    let waiter = Task { await ids.waitUntilPersisted(5) }
    ids.advance("w1", to: 4)
    ids.advance("w1", to: 5)
    await waiter.value
    #expect(ids.currentToken == 5)
    let cancelled = Task { await ids.waitUntilPersisted(100) }
    cancelled.cancel()
    await cancelled.value
    await ids.waitUntilPersisted(3)
  }

  @Test("Two processes that write at the same time end at the same position")
  func twoWriters() async throws {
    let database = try await TestDatabase.withSchema()
    let first = generator(database.client, instance: "w1", writers: ["w1", "w2"])
    let second = generator(database.client, instance: "w2", writers: ["w1", "w2"])
    try await first.load()
    try await second.load()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<60 {
        let (ids, other) = number.isMultiple(of: 2) ? (first, second) : (second, first)
        group.addTask {
          let reservation = try await ids.allocate(1 + number % 3)
          let least = reservation.ids.min() ?? 0
          #expect(ids.currentToken < least)
          reservation.finish()
          other.advance(ids.instanceName, to: ids.position(of: ids.instanceName))
        }
      }
      try await group.waitForAll()
    }
    first.advance("w2", to: second.position(of: "w2"))
    second.advance("w1", to: first.position(of: "w1"))
    #expect(first.currentToken == 121)
    #expect(second.currentToken == 121)
  }
}
