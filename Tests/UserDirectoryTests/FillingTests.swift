import MatrixPrimitives
import Postgres
import TestSupport
import Testing

@testable import Stores
@testable import UserDirectory

/// Directory and statistics made from rooms and accounts as they are, and numbers that are added to.
@Suite struct FillingTests {
  private let den = RoomID(unchecked: "!den:test")

  private func pend(_ fixture: DirectoryFixture, _ names: [Text]) async throws {
    for (place, name) in names.enumerated() {
      let before: Text? = place == 0 ? nil : names[place - 1]
      _ = try await fixture.database.run(
        """
        INSERT INTO background_updates (update_name, progress_json, depends_on, ordering)
        VALUES (\(name), '{}', \(before), 1)
        """)
    }
  }

  @Test func `the directory is filled in pieces, one step after the other`() async throws {
    let fixture = try await DirectoryFixture()
    let (alice, bob) = (try await fixture.account("alice"), try await fixture.account("bob", displayName: "Bob"))
    for user in [alice, bob] { try await fixture.member(user, den, "join") }
    // What was there before goes.
    try await fixture.database.transaction("old") { txn in
      UserDirectoryIndex.enqueue(
        [.init(userID: UserID(unchecked: "@old:x"), displayName: nil, avatarURL: nil)], in: txn)
      txn.enqueue("UPDATE user_directory_stream_pos SET stream_id = NULL")
    }
    let steps = UserDirectoryFilling.allCases.map(\.rawValue)
    try await pend(fixture, steps)
    let filling = DirectoryFilling(stores: fixture.stores, logger: .silent)
    var order: [Text] = []
    while let next = try await fixture.stores.backgroundUpdates.next(of: steps) {
      if order.last != next.name { order.append(next.name) }
      #expect(try await filling.doPiece())
    }
    #expect(order == steps)
    #expect(try await !filling.doPiece())
    #expect(try await fixture.texts("SELECT user_id FROM user_directory") == ["@alice:test", "@bob:test"])
    #expect(try await fixture.texts("SELECT user_id FROM user_directory_search") == ["@alice:test", "@bob:test"])
    #expect(try await fixture.pairs() == ["@alice:test @bob:test", "@bob:test @alice:test"])
    #expect(try await fixture.stores.userDirectory.position() != nil)
    #expect(try await fixture.texts("SELECT tablename::text FROM pg_tables WHERE tablename LIKE '\\_temp%'") == [])
  }

  @Test func `rooms and users are counted as they are`() async throws {
    let fixture = try await DirectoryFixture()
    let alice = try await fixture.account("alice")
    _ = try await fixture.account("idle")
    _ = try await fixture.database.run("INSERT INTO rooms (room_id, is_public) VALUES (\(den.rawValue), false)")
    try await fixture.member(alice, den, "join")
    try await fixture.member(UserID(unchecked: "@zoe:elsewhere"), den, "ban")
    try await pend(fixture, [StatisticsFilling.rooms.rawValue, StatisticsFilling.users.rawValue])
    let filling = DirectoryFilling(stores: fixture.stores, logger: .silent)
    while try await filling.doPiece() {}
    let room: SQL = """
      SELECT concat_ws(' ', current_state_events, joined_members, banned_members, local_users_in_room, left_members)
      FROM room_stats_current
      """
    #expect(try await fixture.texts(room) == ["2 1 1 1 0"])
    #expect(
      try await fixture.texts("SELECT user_id || ' ' || joined_rooms FROM user_stats_current") == [
        "@alice:test 1", "@idle:test 0",
      ])
  }

  @Test func `changes are added once, with the position`() async throws {
    let fixture = try await DirectoryFixture()
    let store = fixture.stores.statistics
    var counts = RoomCounts()
    counts.stateEvents = 3
    counts.members = ["join": 2, "knock": 1, "nonsense": 5]
    counts.localUsers = 1
    var state = RoomStatisticsState()
    state.texts = ["name": "Den", "topic": nil]
    var changes = StatisticsStore.Changes()
    changes.rooms = [den: counts]
    changes.states = [den: state]
    changes.joinedRooms = [UserID(unchecked: "@alice:test"): 2]
    let start = try await store.position()
    #expect(try await store.apply(changes, from: start, to: 10))
    // Somebody who begins from the same place comes too late.
    #expect(try await !store.apply(changes, from: start, to: 10))
    changes.states[den]?.texts = ["name": nil]
    changes.rooms[den]?.members = ["join": -1]
    #expect(try await store.apply(changes, from: 10, to: 11))
    let room: SQL = """
      SELECT concat_ws(' ', current_state_events, joined_members, knocked_members, local_users_in_room,
        completed_delta_stream_id) FROM room_stats_current
      """
    #expect(try await fixture.texts(room) == ["6 1 1 2 11"])
    #expect(try await fixture.texts("SELECT COALESCE(name, 'none') FROM room_stats_state") == ["none"])
    #expect(try await fixture.texts("SELECT joined_rooms::text FROM user_stats_current") == ["4"])
    #expect(try await store.counted([den]) == [den: 11])
  }

  @Test func `reports are numbered one after the other`() async throws {
    let fixture = try await DirectoryFixture()
    let (alice, bob) = (try await fixture.account("alice"), try await fixture.account("bob"))
    let reports = fixture.stores.reports
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask { try await reports.add(target: bob, by: alice, reason: "rude", receivedMilliseconds: 5) }
      }
      try await group.waitForAll()
    }
    #expect(try await fixture.texts("SELECT id::text FROM user_reports") == (1...8).map { Text($0) })
    try await reports.add(room: den, by: alice, reason: "r", receivedMilliseconds: 5)
    try await reports.add(
      event: EventID(unchecked: "$e"), in: den, by: alice, reason: nil, content: ["score": -1], receivedMilliseconds: 5)
    #expect(try await fixture.texts("SELECT content FROM event_reports") == [#"{"score":-1}"#])
    #expect(try await fixture.texts("SELECT user_id || ' ' || reason FROM room_reports") == ["@alice:test r"])
  }
}
