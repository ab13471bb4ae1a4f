import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import Stores
import Synchronization
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite(.serialized) struct PersistTests {
  @Test(arguments: [RoomVersion.v6, .v10, .v11, .v12])
  func aNewRoomFillsTheTablesThatSynapseReads(version: RoomVersion) async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom(version: version, extra: [("m.room.name", ["name": "Hall"])])
    let id = room.roomID.rawValue
    #expect(
      try await fixture.lines("SELECT room_version, creator, has_auth_chain_index FROM rooms WHERE room_id = \(id)")
        == ["\(version)|@alice:test.example|t"])
    #expect(
      try await fixture.lines(
        """
        SELECT topological_ordering, depth, stream_ordering, type, state_key, instance_name, outlier, processed
        FROM events WHERE room_id = \(id) ORDER BY stream_ordering
        """) == [
          "1|1|2|m.room.create||master|f|t", "2|2|3|m.room.member|@alice:test.example|master|f|t",
          "3|3|4|m.room.power_levels||master|f|t", "4|4|5|m.room.join_rules||master|f|t",
          "5|5|6|m.room.name||master|f|t",
        ])
    #expect(
      try await fixture.lines(
        """
        SELECT d.stream_id, d.type, d.state_key, e.stream_ordering, d.prev_event_id IS NULL
        FROM current_state_delta_stream AS d JOIN events AS e USING (event_id)
        WHERE d.room_id = \(id) ORDER BY e.stream_ordering
        """) == [
          "2|m.room.create||2|t", "3|m.room.member|@alice:test.example|3|t", "3|m.room.power_levels||4|t",
          "3|m.room.join_rules||5|t", "3|m.room.name||6|t",
        ])
    #expect(
      try await fixture.lines(
        """
        SELECT type, membership, event_stream_ordering FROM current_state_events WHERE room_id = \(id)
        ORDER BY event_stream_ordering
        """) == [
          "m.room.create|2", "m.room.member|join|3", "m.room.power_levels|4", "m.room.join_rules|5", "m.room.name|6",
        ])
    #expect(
      try await fixture.lines(
        "SELECT user_id, membership, event_stream_ordering FROM local_current_membership WHERE room_id = \(id)")
        == ["@alice:test.example|join|3"])
    #expect(
      try await fixture.lines(
        """
        SELECT event_stream_ordering, bump_stamp, room_type, room_name, is_encrypted FROM sliding_sync_joined_rooms
        WHERE room_id = \(id)
        """) == ["6|2|Hall|f"])
    #expect(
      try await fixture.lines(
        """
        SELECT user_id, membership, forgotten, event_stream_ordering, has_known_state, room_name
        FROM sliding_sync_membership_snapshots WHERE room_id = \(id)
        """) == ["@alice:test.example|join|0|3|t|Hall"])
    #expect(try await fixture.lines("SELECT min_depth FROM room_depth WHERE room_id = \(id)") == ["1"])
    #expect(
      try await fixture.lines("SELECT key, vector FROM event_search WHERE room_id = \(id)")
        == ["content.name|'hall':1"])
    #expect(
      try await fixture.lines("SELECT DISTINCT format_version FROM event_json WHERE room_id = \(id)")
        == [version == .v12 ? "4" : "3"])
  }

  @Test func stateGroupsFormOneChainOfDifferencesFromTheEmptyGroup() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let message = try await room.send(.message("hello"))
    #expect(
      try await fixture.lines("SELECT state_group, prev_state_group FROM state_group_edges ORDER BY state_group")
        == ["2|1", "3|2", "4|3", "5|4"])
    #expect(
      try await fixture.lines("SELECT state_group, type FROM state_groups_state ORDER BY state_group")
        == ["2|m.room.create", "3|m.room.member", "4|m.room.power_levels", "5|m.room.join_rules"])
    #expect(try await fixture.stores.state.stateGroup(of: message.eventID) == 5)
    // A process that has just started must read the same.
    let restarted = try await PersisterFixture.on(fixture.database)
    let state = try await restarted.state.stateAfter(eventID: message.eventID)
    #expect(state.count == 4)
    #expect(state == (try await restarted.stores.state.currentState(room.roomID)))
  }

  @Test func aLongChainOfStateGroupsIsBrokenByAWholeOne() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    for round in 0..<4 {
      try await room.sendBatch(
        (0..<30).map { Sending("m.room.topic", "", Users.alice, ["topic": .string("\(round) \($0)")]) })
    }
    let whole = try await fixture.lines(
      """
      SELECT count(*) FROM state_groups AS g
      WHERE NOT EXISTS (SELECT 1 FROM state_group_edges AS e WHERE e.state_group = g.id)
      """)
    #expect(whole == ["2"])
    let restarted = try await PersisterFixture.on(fixture.database)
    let edge = try #require(try await restarted.stores.rooms.forwardExtremities(room.roomID).keys.first)
    #expect(
      try await restarted.state.stateAfter(eventID: edge)
        == (try await restarted.stores.state.currentState(room.roomID)))
  }

  @Test(arguments: [false, true]) func anEventThatIsStoredAlreadyIsNotWrittenAgain(areNew: Bool) async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let (event, context) = try await room.make(.message("once"))
    let item = PersistableEvent(event: event, context: context, pushActions: [])
    let first = try await fixture.persister.persist([item], roomID: room.roomID)
    try await room.send(.message("later"))
    let second = try await fixture.persister.persist([item, item], roomID: room.roomID, areNew: areNew)
    #expect(second.map(\.streamOrdering) == [first[0].streamOrdering, first[0].streamOrdering])
    #expect(try await fixture.lines("SELECT count(*) FROM event_forward_extremities") == ["1"])
    #expect(
      try await room.edge()
        == Set(try await fixture.lines("SELECT event_id FROM event_forward_extremities").map { EventID(unchecked: $0) })
    )
  }

  @Test func anEventBehindALostOneIsRefused() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let lost = try await room.send(.message("built upon, then lost"))
    let (event, context) = try await room.make(.message("behind it"))
    #expect(event.prevEvents == [lost.eventID])
    // As after a crash of the database between the moment in which others see an event and the one in which it is on disk.
    // Without the checks of foreign keys: what else refers to the event does not matter here.
    for statement: SQL in [
      "ALTER TABLE events DISABLE TRIGGER ALL", "DELETE FROM events WHERE event_id = \(lost.eventID.rawValue)",
      "ALTER TABLE events ENABLE TRIGGER ALL",
    ] {
      try await fixture.database.run(statement)
    }
    await #expect(throws: StoreError.self) {
      _ = try await fixture.persister.persist(
        [PersistableEvent(event: event, context: context, pushActions: [])], roomID: room.roomID)
    }
    #expect(
      try await fixture.lines("SELECT count(*) FROM events WHERE event_id = \(event.eventID.rawValue)") == ["0"])
  }

  @Test func whatFollowsMayBePersistedWhenEventsAreVisibleAsGiven() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let (event, context) = try await room.make(.message("once"))
    let item = PersistableEvent(event: event, context: context, pushActions: [])
    let visible = Mutex<[Int]>([])
    _ = try await fixture.persister.persist(
      [item], roomID: room.roomID, whenVisible: { visible.withLock { $0.append(1) } })
    #expect(visible.withLock { $0 } == [1])
    // What was stored before is not stored as it is given.
    _ = try await fixture.persister.persist(
      [item], roomID: room.roomID, whenVisible: { visible.withLock { $0.append(2) } })
    #expect(visible.withLock { $0 } == [1])
  }

  @Test(arguments: [false, true]) func aRepeatedTransactionGivesTheFirstEvent(areNew: Bool) async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    _ = try await fixture.database.run(
      "INSERT INTO devices (user_id, device_id) VALUES (\(Users.alice.rawValue), 'PHONE')")
    var metadata = EventMetadata()
    metadata.deviceID = "PHONE"
    metadata.txnID = "m1"
    let first = try await room.send(.message("one"), metadata: metadata)
    let again = try await room.send(.message("one again"), metadata: metadata)
    #expect(again.eventID == first.eventID)
    let (third, thirdContext) = try await room.make(.message("one once more"))
    let repeated = PersistableEvent(event: third, context: thirdContext, metadata: metadata, pushActions: [])
    let answered = try await fixture.persister.persist([repeated], roomID: room.roomID, areNew: areNew)
    #expect(answered.map(\.eventID) == [first.eventID])
    // Two at once, in one batch.
    metadata.txnID = "m2"
    let (one, oneContext) = try await room.make(.message("two"))
    let (other, otherContext) = try await room.make(.message("two again"))
    let items = [(one, oneContext), (other, otherContext)].map {
      PersistableEvent(event: $0.0, context: $0.1, metadata: metadata, pushActions: [])
    }
    let stored = try await fixture.persister.persist(items, roomID: room.roomID, areNew: areNew)
    #expect(stored.map(\.eventID) == [one.eventID, one.eventID])
    let transaction = EventStore.DeviceTransaction(
      userID: Users.alice, deviceID: "PHONE", txnID: "m2", path: .send("m.room.message"))
    #expect(try await fixture.stores.events.eventID(roomID: room.roomID, transaction: transaction) == one.eventID)
    #expect(try await fixture.lines("SELECT count(*) FROM events WHERE type = 'm.room.message'") == ["2"])
  }

  @Test(arguments: [false, true]) func aTransactionIDOnAnotherPathIsAnotherRequest(areNew: Bool) async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    _ = try await fixture.database.run(
      "INSERT INTO devices (user_id, device_id) VALUES (\(Users.alice.rawValue), 'PHONE')")
    var metadata = EventMetadata()
    metadata.deviceID = "PHONE"
    metadata.txnID = "m1"
    func persist(_ sending: Sending) async throws -> (made: EventID, stored: EventID) {
      let (event, context) = try await room.make(sending)
      let item = PersistableEvent(event: event, context: context, metadata: metadata, pushActions: [])
      let stored = try await fixture.persister.persist([item], roomID: room.roomID, areNew: areNew)
      return (event.eventID, try #require(stored.first).eventID)
    }
    let message = try await persist(.message("one"))
    #expect(message.stored == message.made)
    let other = Sending("org.example.other", nil, Users.alice, [:])
    let second = try await persist(other)
    #expect(second.stored == second.made)
    #expect(try await persist(other).stored == second.made)
    #expect(try await persist(.message("again")).stored == message.made)
    // The plain id stays the first request's, which is what Synapse reads.
    let owner = try await fixture.lines("SELECT event_id FROM event_txn_id_device_id WHERE txn_id = 'm1'")
    #expect(owner == [message.made.rawValue])
  }

  /// Few and many rows, and those of an event that is redacted in the same group, are written in different ways.
  @Test(arguments: [3, 20, 100], [(false, true), (true, true), (false, false)])
  func pushActionsAreWrittenOnce(members: Int, how: (isRedacted: Bool, usesCompanions: Bool)) async throws {
    let isRedacted = how.isRedacted
    let fixture = try await PersisterFixture.make(usesCompanions: how.usesCompanions)
    let room = try await fixture.makeRoom()
    let actions = [false, true].map { isHighlight in
      PushAction(
        userIDs: (0..<members).filter { ($0 % 3 == 0) == isHighlight }.map {
          UserID(unchecked: "@u\($0):test.example")
        },
        actions: ["notify"], notify: true, highlight: isHighlight, unread: true, threadID: "main")
    }
    let (first, context) = try await room.make(.message("one"))
    let state = try await fixture.state.stateAfter(context)
    let sending =
      isRedacted ? Sending("m.room.redaction", nil, Users.alice, [:], redacts: first.eventID) : .message("two")
    let (second, secondContext) = try await room.make(
      sending, after: [first.eventID], state: state, depth: first.depth + 1)
    let items = [(first, context, actions), (second, secondContext, isRedacted ? [] : actions)].map {
      PersistableEvent(event: $0.0, context: $0.1, pushActions: $0.2)
    }
    let stored = try await fixture.persister.persist(items, roomID: room.roomID, areNew: true)
    for event in stored {
      let lines = try await fixture.lines(
        """
        SELECT count(*) || ' ' || count(DISTINCT user_id) || ' ' || count(*) FILTER (WHERE highlight = 1)
        FROM event_push_actions WHERE event_id = \(event.eventID.rawValue) AND stream_ordering = \(event.streamOrdering)
        """)
      #expect(lines == [isRedacted ? "0 0 0" : "\(members) \(members) \((members + 2) / 3)"])
    }
    let sessions = try await fixture.lines(
      "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM events WHERE stream_ordering >= \(stored[0].streamOrdering) UNION ALL SELECT xmin FROM event_push_actions) AS row"
    )
    let companions = how.usesCompanions && !isRedacted ? (members * 2 >= 64 ? 2 : members * 2 >= 8 ? 1 : 0) : 0
    #expect(sessions == ["\(1 + companions)"])
  }

  @Test func anEventIsStoredWhileItsDeviceIsBeingDeleted() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    _ = try await fixture.database.run(
      "INSERT INTO devices (user_id, device_id) VALUES (\(Users.alice.rawValue), 'PHONE')")
    let deleted = Gate()
    let deletion = Task {
      try await fixture.database.transaction("log out") { txn in
        try txn.execute("DELETE FROM devices WHERE device_id = 'PHONE'")
        deleted.open()
        // Committed only once the event's transaction waits for this one.
        while try txn.query("SELECT 1 FROM pg_locks WHERE NOT granted").isEmpty {}
      }
    }
    await deleted.wait()
    var metadata = EventMetadata()
    metadata.deviceID = "PHONE"
    metadata.txnID = "m1"
    let event = try await room.send(.message("one"), metadata: metadata)
    try await deletion.value
    #expect(try await fixture.stores.events.havePersisted([event.eventID]) == [event.eventID])
    #expect(try await fixture.lines("SELECT txn_id FROM event_txn_id_device_id").isEmpty)
  }

  @Test(arguments: [false, true]) func aBatchThatFollowsARepeatedTransactionIsRefused(areNew: Bool) async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    _ = try await fixture.database.run(
      "INSERT INTO devices (user_id, device_id) VALUES (\(Users.alice.rawValue), 'PHONE')")
    var metadata = EventMetadata()
    metadata.deviceID = "PHONE"
    metadata.txnID = "m1"
    let first = try await room.send(.message("one"), metadata: metadata)
    let (again, context) = try await room.make(.message("one again"))
    let (next, nextContext) = try await room.make(
      .message("two"), after: [again.eventID], state: try await fixture.state.stateAfter(context),
      depth: again.depth + 1)
    let repeated = PersistableEvent(event: again, context: context, metadata: metadata, pushActions: [])
    let follower = PersistableEvent(event: next, context: nextContext, pushActions: [])
    let error = await #expect(throws: MatrixError.self) {
      try await fixture.persister.persist([repeated, follower], roomID: room.roomID, areNew: areNew)
    }
    #expect(error?.status == 409)
    #expect(try await fixture.stores.events.havePersisted([again.eventID, next.eventID]).isEmpty)
    // At the end of a batch nothing follows it.
    let (other, otherContext) = try await room.make(.message("three"))
    let before = PersistableEvent(event: other, context: otherContext, pushActions: [])
    let (last, lastContext) = try await room.make(
      .message("one"), after: [other.eventID], state: try await fixture.state.stateAfter(otherContext),
      depth: other.depth + 1)
    let end = PersistableEvent(event: last, context: lastContext, metadata: metadata, pushActions: [])
    let stored = try await fixture.persister.persist([before, end], roomID: room.roomID, areNew: areNew)
    #expect(stored.map(\.eventID) == [other.eventID, first.eventID])
    #expect(try await room.edge() == [other.eventID])
  }

  @Test func whatArrivesTogetherIsWrittenTogether() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let edge = try await fixture.stores.rooms.prevEventsForNewEvent(room.roomID).map(\.eventID)
    var items: [PersistableEvent] = []
    for number in 0..<60 {
      let (event, context) = try await room.make(.message("\(number)"), after: edge)
      items.append(PersistableEvent(event: event, context: context, pushActions: []))
    }
    let before = fixture.database.statistics.roundTrips
    try await withThrowingTaskGroup(of: Void.self) { group in
      for item in items {
        group.addTask { _ = try await fixture.persister.persist([item], roomID: room.roomID) }
      }
      try await group.waitForAll()
    }
    // One by one they would cost at least three round trips each.
    #expect(fixture.database.statistics.roundTrips - before < 120)
    #expect(try await room.edge() == Set(items.map(\.event.eventID)))
    let merged = try await room.send(.message("together"))
    #expect(merged.event.prevEvents.count == 10)
    #expect(try await fixture.lines("SELECT count(*) FROM event_forward_extremities") == ["51"])
  }

  @Test func branchesWithDifferentStateAreResolved() async throws {
    for version in [RoomVersion.v10, .v12] {
      let fixture = try await PersisterFixture.make()
      let room = try await fixture.makeRoom(version: version)
      try await room.join(Users.bob)
      let edge = try await fixture.stores.rooms.prevEventsForNewEvent(room.roomID).map(\.eventID)
      let name = try await room.send(Sending("m.room.name", "", Users.alice, ["name": "left"]), after: edge)
      let topic = try await room.send(Sending("m.room.topic", "", Users.alice, ["topic": "right"]), after: edge)
      let rival = try await room.send(
        Sending("m.room.name", "", Users.alice, ["name": "right"]), after: [topic.eventID])
      #expect(
        try await room.edge() == [name.eventID, rival.eventID])
      let current = try await fixture.stores.state.currentState(room.roomID)
      #expect(current[StateKey("m.room.topic")] == topic.eventID)
      let winner = try #require(current[StateKey("m.room.name")])
      #expect([name.eventID, rival.eventID].contains(winner))
      // The next event joins the branches, and its state is the one that was resolved.
      let joined = try await room.send(.message("joined"))
      #expect(Set(joined.event.prevEvents) == [name.eventID, rival.eventID])
      #expect(try await room.edge() == [joined.eventID])
      #expect(try await fixture.state.stateAfter(eventID: joined.eventID) == current)
      let restarted = try await PersisterFixture.on(fixture.database)
      #expect(try await restarted.stores.state.currentState(room.roomID) == current)
      #expect(try await restarted.state.stateAfter(eventID: joined.eventID) == current)
    }
  }

  @Test func refusedAndSoftFailedEventsStayOutOfTheGraph() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let before = try await room.edge()
    let state = try await fixture.stores.state.currentState(room.roomID)
    let refused = try await room.send(
      Sending("m.room.topic", "", Users.bob, ["topic": "mine"]), rejected: "auth_error")
    var metadata = EventMetadata()
    metadata.softFailed = true
    let soft = try await room.send(
      Sending("m.room.topic", "", Users.alice, ["topic": "late"]), after: Array(before), metadata: metadata)
    #expect(try await room.edge() == before)
    #expect(try await fixture.stores.state.currentState(room.roomID) == state)
    #expect(try await fixture.stores.events.event(refused.eventID) == nil)
    #expect(
      try await fixture.stores.events.event(refused.eventID, allowRejected: true)?.rejectedReason == "auth_error")
    #expect(try await fixture.lines("SELECT event_id, reason FROM rejections") == ["\(refused.eventID)|auth_error"])
    // What follows a soft-failed event stands for what that one followed.
    let next = try await room.send(.message("on"), after: [soft.eventID])
    #expect(try await room.edge() == [next.eventID])
  }

  @Test func aRoomThatIsGlancedAtOftenIsReadAsAWhole() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom(extra: [("m.room.name", ["name": "Glanced at"])])
    let state = fixture.stores.state
    let whole = try await state.currentState(room.roomID)
    let key = StateKey("m.room.name", "")
    state.invalidateCurrent(room.roomID)
    for _ in 0..<4 {
      #expect(try await state.currentState(room.roomID, filter: .keys([key])) == whole.filter { $0.key == key })
    }
    let queries = fixture.stores.database.statistics.queries
    #expect(try await state.currentState(room.roomID, filter: .keys([key])) == whole.filter { $0.key == key })
    #expect(try await state.currentState(room.roomID) == whole)
    #expect(fixture.stores.database.statistics.queries == queries)
  }

  @Test func whenTheLastUserLeavesTheCurrentStateGoes() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom(extra: [("m.room.name", ["name": "Empty"])])
    let left = try await room.send(Sending("m.room.member", Users.alice.rawValue, Users.alice, ["membership": "leave"]))
    #expect(try await fixture.lines("SELECT * FROM current_state_events").isEmpty)
    #expect(try await fixture.lines("SELECT * FROM sliding_sync_joined_rooms").isEmpty)
    #expect(try await fixture.stores.state.currentState(room.roomID).isEmpty)
    #expect(try await fixture.stores.memberships.joinedUsers(room.roomID).isEmpty)
    let mine = try #require(try await fixture.stores.memberships.room(room.roomID, for: Users.alice))
    #expect(mine.membership == .leave && mine.eventID == left.eventID)
    #expect(
      try await fixture.lines(
        "SELECT count(*), count(event_id), count(prev_event_id) FROM current_state_delta_stream WHERE stream_id = \(left.streamOrdering)"
      )
        == ["5|0|5"])
    #expect(
      try await fixture.lines("SELECT membership, room_name, has_known_state FROM sliding_sync_membership_snapshots")
        == ["leave|Empty|t"])
    #expect(await fixture.announced(.events).last?.rows.last == .eventStateAll(room.roomID))
  }

  @Test func anOutlierTakesItsPlaceInTheTimelineLater() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let (event, context) = try await room.make(.message("early"))
    let outlier = try await fixture.persister.persist(
      [PersistableEvent(event: event, context: .outlier, isOutlier: true, pushActions: [])], roomID: room.roomID)[0]
    #expect(outlier.isOutlier)
    #expect(try await fixture.stores.events.event(event.eventID)?.isOutlier == true)
    #expect(!(try await room.edge().contains(event.eventID)))
    let placed = try await fixture.persister.persist(
      [PersistableEvent(event: event, context: context, pushActions: [])], roomID: room.roomID)[0]
    #expect(placed.streamOrdering == outlier.streamOrdering && !placed.isOutlier)
    #expect(try await fixture.stores.events.event(event.eventID)?.isOutlier == false)
    #expect(try await room.edge() == [event.eventID])
    #expect(
      try await fixture.lines("SELECT event_id, event_stream_ordering, instance_name FROM ex_outlier_stream")
        == ["\(event.eventID)|\(outlier.streamOrdering + 1)|master"])
  }

  @Test func anEventWhoseStateIsGoneIsRefused() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    var (event, context) = try await room.make(.message("late"))
    context.stateGroup = 1_000_000
    let item = PersistableEvent(event: event, context: context, pushActions: [])
    let error = await #expect(throws: MatrixError.self) {
      try await fixture.persister.persist([item], roomID: room.roomID, areNew: true)
    }
    #expect(error?.status == 404)
  }

  @Test func whatFailsWithTheCodeOfARefusalIsNone() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    for statement: SQL in [
      """
      CREATE FUNCTION divide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.depth = NEW.depth / 0; RETURN NEW; END $$
      """,
      "CREATE TRIGGER divides BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION divide()",
    ] { try await fixture.database.run(statement) }
    await #expect(throws: PostgresError.self) { try await room.send(.message("x")) }
  }

  @Test func anEventOfARoomThatIsGoneIsRefused() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    let (event, context) = try await room.make(.message("late"))
    _ = try await fixture.database.run("DELETE FROM sliding_sync_joined_rooms")
    _ = try await fixture.database.run("DELETE FROM sliding_sync_membership_snapshots")
    _ = try await fixture.database.run("DELETE FROM rooms")
    await #expect(throws: MatrixError.self) {
      try await fixture.persister.persist(
        [PersistableEvent(event: event, context: context, pushActions: [])], roomID: room.roomID)
    }
    #expect(try await fixture.lines("SELECT 1 FROM events WHERE event_id = \(event.eventID.rawValue)").isEmpty)
  }
}
