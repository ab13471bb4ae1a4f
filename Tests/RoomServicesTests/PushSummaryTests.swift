import MatrixPrimitives
import Postgres
import SeededNumbers
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices
@testable import Stores

/// Every action and receipt, and counts by looking at all of them.
private struct NaiveCounts {
  struct Action {
    let thread: Text
    let position: Int64
    let notifies: Bool
    let highlights: Bool
  }

  var actions: [Action] = []
  var whole: Int64 = 0
  var threads: [Text: Int64] = [:]

  func read(_ thread: Text) -> Int64 { max(whole, threads[thread] ?? 0) }

  var counts: [Text: NotificationCounts] {
    var counts: [Text: NotificationCounts] = [:]
    for action in actions where action.position > read(action.thread) {
      counts[action.thread, default: NotificationCounts()].notifications += action.notifies ? 1 : 0
      counts[action.thread, default: NotificationCounts()].highlights += action.highlights ? 1 : 0
      counts[action.thread, default: NotificationCounts()].unread += 1
    }
    return counts
  }
}

@Suite(.timeLimit(.minutes(2))) struct PushSummaryTests {
  private let user = Users.alice
  private let room = RoomID(unchecked: "!room:test.example")
  private let threads = ["main", "$one", "$two"]

  private func counts(_ fixture: PersisterFixture) async throws -> [Text: NotificationCounts] {
    // What is written here behind the streams' back is not noticed by what is kept.
    fixture.push.notificationCounts.invalidateAll()
    let counts = try await fixture.push.notificationCounts.counts(of: user, in: room)
    return counts.threads.merging(counts.main == NotificationCounts() ? [:] : ["main": counts.main]) { $1 }
  }

  private func act(_ action: NaiveCounts.Action, _ fixture: PersisterFixture) async throws {
    try await fixture.database.run(
      """
      INSERT INTO event_push_actions (room_id, event_id, user_id, actions, stream_ordering, topological_ordering, notif,
        highlight, unread, thread_id)
      VALUES (\(room.rawValue), \("$\(action.position)"), \(user.rawValue), '', \(action.position), 1,
        \(action.notifies ? 1 : 0)::smallint, \(action.highlights ? 1 : 0)::smallint, 1::smallint, \(action.thread))
      """)
  }

  private func read(
    _ position: Int64, thread: Text?, isPrivate: Bool, id: Int64, _ fixture: PersisterFixture
  ) async throws {
    let type = isPrivate ? "m.read.private" : "m.read"
    try await fixture.database.transaction("receipt") { [user, room] txn in
      txn.enqueue(
        """
        DELETE FROM receipts_linearized WHERE user_id = \(user.rawValue) AND receipt_type = \(type)
          AND thread_id IS NOT DISTINCT FROM \(thread)::text
        """)
      txn.enqueue(
        """
        INSERT INTO receipts_linearized
          (stream_id, room_id, receipt_type, user_id, event_id, data, event_stream_ordering, thread_id)
        VALUES (\(id), \(room.rawValue), \(type), \(user.rawValue), \("$\(position)"), '{}', \(position), \(thread))
        """)
    }
  }

  @Test(arguments: [1, 2, 3, 4]) func sumsChangeNoCount(seed: UInt64) async throws {
    let fixture = try await PersisterFixture.make()
    let store = fixture.push.summaries
    try await fixture.database.run(
      """
      INSERT INTO local_current_membership (room_id, user_id, event_id, membership)
      VALUES (\(room.rawValue), \(user.rawValue), '$join', 'join')
      """)
    var random = SeededRandom(seed)
    var naive = NaiveCounts()
    var (position, receipts, removed) = (Int64(1), Int64(1), Int64(1))
    var hasSums = false
    for _ in 0..<40 {
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        position += Int64.random(in: 1...2, using: &random)
        let notifies = Int.random(in: 0..<3, using: &random) > 0
        let action = NaiveCounts.Action(
          thread: threads.randomElement(using: &random) ?? "main", position: position, notifies: notifies,
          highlights: notifies && Bool.random(using: &random))
        naive.actions.append(action)
        try await act(action, fixture)
      }
      #expect(try await counts(fixture) == naive.counts)
      if Int.random(in: 0..<3, using: &random) == 0 {
        // Exact for what is read behind the removed actions; before that they are gone.
        let thread = Bool.random(using: &random) ? nil : threads.randomElement(using: &random)
        let least = max(removed, thread.map { naive.threads[$0] ?? 1 } ?? naive.whole)
        guard least <= position else { continue }
        let reached = Int64.random(in: least...position, using: &random)
        receipts += 1
        try await read(reached, thread: thread, isPrivate: Bool.random(using: &random), id: receipts, fixture)
        if let thread { naive.threads[thread] = reached } else { naive.whole = reached }
        #expect(try await counts(fixture) == naive.counts)
        while try await !store.takeReceipts(upTo: receipts, limit: 1, serverName: PersisterFixture.serverName) {}
      }
      #expect(try await counts(fixture) == naive.counts)
      guard Bool.random(using: &random) else { continue }
      while try await !store.sumUp(to: position, limit: 2) {}
      let sums = try await fixture.lines("SELECT 1 FROM event_push_summary WHERE notif_count > 0")
      hasSums = hasSums || !sums.isEmpty
      #expect(try await counts(fixture) == naive.counts)
      removed = Int64.random(in: removed...position, using: &random)
      while try await !store.removeSummedUp(before: removed, limit: 2) {}
      #expect(try await counts(fixture) == naive.counts)
    }
    #expect(hasSums)
    let left = try await fixture.lines(
      "SELECT count(*) FROM event_push_actions WHERE highlight = 0 AND stream_ordering < \(removed)")
    #expect(left == ["0"])
  }

  @Test func onlyReceiptsOfThisServersUsersAreTaken() async throws {
    let fixture = try await PersisterFixture.make()
    try await fixture.database.run(
      """
      INSERT INTO receipts_linearized (stream_id, room_id, receipt_type, user_id, event_id, data, event_stream_ordering)
      VALUES (5, \(room.rawValue), 'm.read', \(Users.remote.rawValue), '$a', '{}', 3)
      """)
    let store = fixture.push.summaries
    #expect(try await store.takeReceipts(upTo: 7, serverName: PersisterFixture.serverName))
    #expect(try await fixture.lines("SELECT stream_id FROM event_push_summary_last_receipt_stream_id") == ["7"])
    #expect(try await fixture.lines("SELECT 1 FROM event_push_summary").isEmpty)
  }

  @Test func thePositionOfATimeIsThatOfTheFirstEventFromThenOn() async throws {
    let fixture = try await PersisterFixture.make()
    let store = fixture.push.summaries
    #expect(try await store.position(at: fixture.clock.nowMilliseconds) == 0)
    let start = fixture.clock.nowMilliseconds
    let room = try await fixture.makeRoom()
    fixture.clock.advance(milliseconds: 10_000)
    let late = try await room.send(.message("late"))
    #expect(try await store.position(at: start + 1) == late.streamOrdering)
    #expect(try await store.position(at: start + 10_000) == late.streamOrdering)
    #expect(try await store.position(at: start + 10_001) == late.streamOrdering + 1)
    let first = try await fixture.lines("SELECT min(stream_ordering) FROM events").compactMap { Int64($0) }
    #expect(try await store.position(at: 0) == first.first)
  }
}
