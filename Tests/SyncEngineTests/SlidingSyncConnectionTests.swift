import MatrixPrimitives
import Postgres
import Stores
import Testing

@testable import SyncEngine

/// Connections of sliding sync, as they are kept for the next request.
@Suite struct SlidingSyncConnectionTests {
  let bob = SyncFixture.bob
  let state: JSON = [["m.room.member", "$LAZY"], ["m.room.create", ""]]

  @Test func theTablesHoldWhatSynapseStores() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(2)
    let extensions: JSON = ["receipts": ["enabled": true], "account_data": ["enabled": true]]
    let first = try await server.slide(.list(limit: 1, state: state, extensions: extensions))
    #expect(first.pos.hasPrefix("1/s"))
    #expect(
      try await server.column(
        "SELECT user_id || effective_device_id || '<' || conn_id || '>' FROM sliding_sync_connections")
        == ["@bob:testBOB1<>"])
    #expect(
      try await server.column("SELECT required_state FROM sliding_sync_connection_required_state")
        == [#"[["m.room.create",""],["m.room.member","$LAZY"]]"#])
    let streams: SQL =
      "SELECT stream || ' ' || room_status || COALESCE(' ' || last_token, '') FROM sliding_sync_connection_streams"
    #expect(
      try await server.column(streams.appending(" ORDER BY 1"))
        == ["account_data live", "account_data live", "receipts live", "receipts live", "rooms live", "rooms live"])
    #expect(
      try await server.column("SELECT user_id || ' ' || connection_position FROM sliding_sync_connection_lazy_members")
        == ["@alice:test 1", "@alice:test 1"])
    let from = try #require(try await server.services.sliding.token(first.pos)).streams.room.stream
    try await server.say("away", rooms[0])
    try await server.say("near", rooms[1])
    let second = try await server.slide(.list([[0, 0]], limit: 1, state: state), from: first.pos)
    #expect(second.pos.hasPrefix("2/s"))
    #expect(
      try await server.column(streams.appending(" WHERE stream = 'rooms' AND connection_position = 2 ORDER BY 1"))
        == ["rooms live", "rooms previously s\(from)"])
    // The first position went with the request that came with it, but its members count for all that follow.
    _ = try await server.slide(.list([[0, 0]], limit: 1, state: state), from: second.pos)
    #expect(
      try await server.column("SELECT connection_position::text FROM sliding_sync_connection_positions") == ["2"])
    #expect(
      try await server.column(
        "SELECT COALESCE(connection_position::text, 'all') FROM sliding_sync_connection_lazy_members") == [
          "all", "all",
        ])
  }

  @Test func aConnectionGoesOnInAnotherProcess() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(2)
    let first = try await server.slide(.list([[0, 0]], limit: 1, state: state))
    let from = try #require(try await server.services.sliding.token(first.pos))
    let key = SlidingConnection.Key(user: bob.userID, device: "BOB1", name: "")
    let other = SlidingConnectionStore(server.stores.context)
    let place = try #require(try await other.place(key, at: from.position))
    #expect(place.connection.rooms == [rooms[1]: .live])
    #expect(place.connection.configs[rooms[1]]?.timelineLimit == 1)
    #expect(place.connection.configs[rooms[1]]?.requiredState.isLazy == true)
    let members = try await other.members([rooms[1]: ["@alice:test", "@none:test", "\u{0}"]], at: place)
    #expect(members[rooms[1]]?.keys.map { $0 } == ["@alice:test"])
  }

  @Test func aPositionThatIsGoneIsUnknown() async throws {
    let server = try await SyncFixture()
    _ = try await server.busyRooms(1)
    let body = JSON.list()
    let first = try await server.slide(body)
    let streams = try #require(first.pos.split(separator: UInt8(ascii: "/")).last)
    for position in ["7/", "-1/", "9999999999/"] as [Text] {
      await expectUnknown(server, bob, body, from: position + streams)
    }
    await expectUnknown(server, SyncFixture.carol, body, from: first.pos)
    await expectUnknown(server, Requester(userID: bob.userID, deviceID: "OTHER"), body, from: first.pos)
    var named = body.members ?? [:]
    named["conn_id"] = "other"
    await expectUnknown(server, bob, .object(named), from: first.pos)
    // A connection that begins takes the place of the one before.
    _ = try await server.slide(body)
    await expectUnknown(server, bob, body, from: first.pos)
    for text in ["", "/", "1", "x/\(streams)", "1/x", "1/t1-1_0_0_0_0_0_0_0_0"] as [Text] {
      let error = await #expect(throws: MatrixError.self) { try await server.services.sliding.token(text) }
      #expect(error?.status == 400 && error?.errcode == "M_UNKNOWN", "\(text)")
    }
  }

  @Test func theSameRequestGetsTheSameAnswer() async throws {
    let server = try await SyncFixture()
    let rooms = try await server.busyRooms(2)
    let first = try await server.slide(.list([[0, 0]], state: state))
    let growing = JSON.list([[0, 1]], state: state)
    let second = try await server.slide(growing, from: first.pos)
    let again = try await server.slide(growing, from: first.pos)
    #expect(second.slid(rooms[0])?["initial"] == true)
    #expect(second.slidRooms == again.slidRooms && again.slid(rooms[0])?["initial"] == true)
    #expect(second.slidState(rooms[0]) == again.slidState(rooms[0]))
    #expect(try await server.slide(growing, from: again.pos).slidRooms == [])
    await expectUnknown(server, bob, growing, from: second.pos)
  }

  @Test func connectionsOfADeviceDoNotMeet() async throws {
    let server = try await SyncFixture()
    let room = try await server.busyRooms(1)[0]
    func body(_ name: Text) -> JSON {
      var members = JSON.list().members ?? [:]
      members["conn_id"] = .string(name)
      return .object(members)
    }
    let (one, other) = (try await server.slide(body("one")), try await server.slide(body("other")))
    #expect(one.slidRooms == [room.rawValue] && other.slidRooms == [room.rawValue])
    try await server.say("news", room)
    #expect(try await server.slide(body("one"), from: one.pos).slidBodies(room) == ["news"])
    #expect(try await server.slide(body("other"), from: other.pos).slidBodies(room) == ["news"])
    for number in 0..<Int(SlidingConnectionStore.mostConnections) { _ = try await server.slide(body("c\(number)")) }
    #expect(
      try await server.column("SELECT conn_id FROM sliding_sync_connections WHERE conn_id IN ('one', 'other')") == [])
    #expect(try await server.column("SELECT count(*)::text FROM sliding_sync_connections") == ["20"])
  }

  @Test func withoutRoomsNothingIsStored() async throws {
    let server = try await SyncFixture()
    let first = try await server.slide(["extensions": ["e2ee": ["enabled": true]]])
    #expect(first.pos.hasPrefix("0/") && first["lists"] == nil)
    #expect(try await server.slide([:], from: first.pos).pos.hasPrefix("0/"))
    #expect(try await server.column("SELECT conn_id FROM sliding_sync_connections") == [])
  }

  @Test func aClientThatWasAwayForLongBeginsAnewWhenVeryMuchHasChanged() async throws {
    let server = try await SyncFixture()
    _ = try await server.busyRooms(1)
    let first = try await server.slide(.list())
    for _ in 0..<101 {
      let room = try await server.createRoom()
      try await server.change(.join, room, by: bob)
    }
    #expect(try await server.slide(.list([[0, 200]]), from: first.pos).slidRooms.count == 101)
    try await server.database.client.run("UPDATE sliding_sync_connections SET last_used_ts = last_used_ts - 3700000")
    // What is in memory was read a moment ago; another process has to look.
    let key = SlidingConnection.Key(user: bob.userID, device: "BOB1", name: "")
    let other = SlidingConnectionStore(server.stores.context)
    let from = try #require(try await server.services.sliding.token(first.pos))
    let place = try #require(try await other.place(key, at: from.position))
    let request = SlidingSyncRequest(
      requester: bob, from: from, timeoutMilliseconds: 0,
      body: try SlidingSyncBody(try JSON.list([[0, 200]]).document()))
    let computation = SlidingComputation(
      service: server.services.sliding, request: request, place: place, from: from.streams)
    let error = await #expect(throws: MatrixError.self) { _ = try await computation.find() }
    #expect(error?.errcode == "M_UNKNOWN_POS")
  }

  @Test func unusedConnectionsAreDeleted() async throws {
    let server = try await SyncFixture()
    _ = try await server.busyRooms(1)
    let first = try await server.slide(.list())
    try await server.services.sliding.connections.deleteUnused()
    #expect(try await server.column("SELECT conn_id FROM sliding_sync_connections") == [""])
    try await server.database.client.run("UPDATE sliding_sync_connections SET last_used_ts = last_used_ts - 604900000")
    try await server.services.sliding.connections.deleteUnused()
    #expect(try await server.column("SELECT conn_id FROM sliding_sync_connections") == [])
    await expectUnknown(server, bob, .list(), from: first.pos)
  }

  private func expectUnknown(_ server: SyncFixture, _ requester: Requester, _ body: JSON, from: Text) async {
    let error = await #expect(throws: MatrixError.self) { _ = try await server.slide(body, as: requester, from: from) }
    #expect(error?.errcode == "M_UNKNOWN_POS" && error?.status == 400, "\(from)")
  }
}

extension SyncFixture {
  fileprivate func column(_ sql: SQL) async throws -> [Text] {
    try await database.client.run(sql).map { try $0.get(0) }
  }
}
