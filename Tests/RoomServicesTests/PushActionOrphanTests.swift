import Dispatch
import MatrixPrimitives
import Postgres
import Stores
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

/// The removal of push actions without an event, and no others.
@Suite(.timeLimit(.minutes(2))) struct PushActionOrphanTests {
  private func act(_ id: Text, place: Int64, in txn: Transaction) {
    txn.enqueue(
      """
      INSERT INTO event_push_actions (room_id, event_id, user_id, actions, stream_ordering, topological_ordering, notif,
        highlight, unread, thread_id)
      VALUES ('!room:test.example', \(id), '@alice:test.example', '', \(place), 1, 1, 0, 1, 'main')
      """)
  }

  private func store(_ id: Text, place: Int64, in txn: Transaction) {
    txn.enqueue(
      """
      INSERT INTO events (event_id, room_id, stream_ordering, topological_ordering, depth, type, outlier, processed,
        origin_server_ts, sender)
      VALUES (\(id), '!room:test.example', \(place), 1, 1, 'm.room.message', false, true, 0, '@bob:test.example')
      """)
  }

  private func places(_ database: PostgresClient) async throws -> [Int64] {
    let rows = try await database.run("SELECT stream_ordering FROM event_push_actions ORDER BY 1")
    return try rows.map { try $0.get(0, as: Int64.self) }
  }

  @Test func onlyWhatHasNoEventAndWillHaveNoneIsRemoved() async throws {
    let fixture = try await PersisterFixture.make()
    let (database, orphans) = (fixture.database, fixture.stores.pushActionOrphans)
    try await database.transaction("set up") { txn in
      act("$stored", place: 101, in: txn)
      store("$stored", place: 101, in: txn)
      act("$lost", place: 102, in: txn)
      act("$late", place: 103, in: txn)
      // A redelivered event has another place than its orphans.
      act("$again", place: 104, in: txn)
      act("$again", place: 105, in: txn)
      store("$again", place: 105, in: txn)
    }
    let hasWritten = Gate()
    let release = DispatchSemaphore(value: 0)
    let storing = Task {
      try await database.transaction("late") { txn in
        store("$late", place: 103, in: txn)
        _ = try txn.query("SELECT 1")
        hasWritten.open()
        release.wait()
      }
    }
    await hasWritten.wait()
    let suspects = try await orphans.suspects()
    #expect(suspects.streamOrderings.sorted() == [102, 103, 104])
    #expect(try await orphans.remove(suspects) == nil)
    #expect(try await places(database) == [101, 102, 103, 104, 105])
    release.signal()
    try await storing.value
    #expect(try await orphans.remove(suspects) == 2)
    #expect(try await places(database) == [101, 103, 105])
    #expect(try await orphans.suspects().streamOrderings.isEmpty)
  }

  @Test func aPersisterClearsAtItsStartAndWhenAsked() async throws {
    let fixture = try await PersisterFixture.make()
    let database = fixture.database
    try await database.transaction("set up") { act("$first", place: 102, in: $0) }
    let orphans = PushActionOrphans(store: fixture.stores.pushActionOrphans, logger: .silent)
    let running = Task { await orphans.run() }
    while try await !places(database).isEmpty { try await Task.sleep(for: .milliseconds(10)) }
    try await database.transaction("another") { act("$second", place: 103, in: $0) }
    orphans.look()
    while try await !places(database).isEmpty { try await Task.sleep(for: .milliseconds(10)) }
    running.cancel()
    await running.value
  }
}
