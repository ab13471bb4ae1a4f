import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Testing

@testable import SyncEngine

@Suite struct TimelineReaderTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob

  @Test func eachRoomHasItsOwnSpanAndLimit() async throws {
    let server = try await SyncFixture()
    let (long, short, quiet) = (
      try await server.createRoom(), try await server.createRoom(), try await server.createRoom()
    )
    for number in 0..<4 { try await server.say("\(number)", long) }
    let point = try await now(server)
    for number in 4..<6 { try await server.say("\(number)", long) }
    try await server.say("only", short)
    let requests = [
      try await joined(long, server, after: point, limit: 1), try await joined(short, server, limit: 100),
      try await joined(quiet, server, after: point, limit: 1), try await joined(long, server, limit: 3),
    ]
    let timelines = try await read(requests, alice, server)
    #expect(bodies(timelines[0]) == ["5"] && timelines[0].isLimited)
    #expect(bodies(timelines[1]) == ["only"] && !timelines[1].isLimited)
    #expect(timelines[1].previous == requests[1].upTo)
    #expect(timelines[2].entries.isEmpty && timelines[2].previous == point)
    #expect(bodies(timelines[3]) == ["3", "4", "5"] && timelines[3].isLimited)
    #expect(timelines[3].previous.stream < timelines[3].entries[0].event.streamOrdering)
  }

  @Test func aViewEndsWhereTheStayEnded() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    try await server.say("before", room)
    try await server.change(.leave, room, by: bob)
    try await server.say("after", room)
    await server.hub.waitUntilIdle()
    let departure = try #require(try await server.stores.memberships.departures(of: bob.userID, from: [room])[room])
    let departed = TimelineRequest(
      room: room, view: .departed, after: nil, upTo: RoomStreamToken(stream: departure.streamOrdering), limit: 2)
    #expect(try await bodies(read([departed], bob, server)[0]) == ["before"])
    var outside = TimelineRequest(room: room, view: .outside, after: nil, upTo: try await now(server), limit: 5)
    #expect(try await read([outside], bob, server)[0].entries.isEmpty)
    outside.farewell = departure.eventID
    #expect(try await read([outside], bob, server)[0].entries.map(\.event.eventID) == [departure.eventID])
  }

  @Test func aFilterAndIgnoredUsersLeaveOutAndOlderEventsFillUp() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    for number in 0..<3 { try await server.say("a\(number)", room) }
    for number in 0..<3 { try await server.say("b\(number)", room, bob) }
    var filter = EventFilter()
    filter.types = ["m.room.message"]
    filter.notSenders = [bob.userID.rawValue]
    let request = try await joined(room, server, limit: 2)
    #expect(try await bodies(read([request], alice, server, filter)[0]) == ["a1", "a2"])
    let ignoring = TimelineReader.Viewer(user: alice.userID, ignoredUsers: [bob.userID])
    let timeline = try await server.readers.timelines.timelines([request], for: ignoring, filter: EventFilter())[0]
    #expect(bodies(timeline) == ["a1", "a2"])
  }

  @Test func theStateBeforeATimelineIsWhatItsEventsReplaced() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    let key = StateKey("m.room.topic")
    let old = try await server.set("m.room.topic", ["topic": "old"], room)
    let new = try await server.set("m.room.topic", ["topic": "new"], room)
    let timeline = try await read([joined(room, server, limit: 1)], alice, server)[0]
    #expect(timeline.entries.map(\.event.eventID) == [new])
    #expect(timeline.stateBefore([key: new]) == [key: old])
    #expect(timeline.stateBefore([key: old]) == [key: old])
    #expect(timeline.senders == ["@alice:test"])
  }

  // MARK: Shorthand

  private func now(_ server: SyncFixture) async throws -> RoomStreamToken {
    await server.hub.waitUntilIdle()
    return server.services.tokens.current().room
  }

  private func joined(
    _ room: RoomID, _ server: SyncFixture, after: RoomStreamToken? = nil, limit: Int
  ) async throws -> TimelineRequest {
    let (upTo, joinedAt) = (
      try await now(server), try await server.stores.memberships.room(room, for: alice.userID)?.streamOrdering
    )
    return TimelineRequest(room: room, view: .joined(at: joinedAt ?? .max), after: after, upTo: upTo, limit: limit)
  }

  private func read(
    _ requests: [TimelineRequest], _ requester: Requester, _ server: SyncFixture, _ filter: EventFilter = EventFilter()
  ) async throws -> [RoomTimeline] {
    try await server.readers.timelines.timelines(
      requests, for: TimelineReader.Viewer(user: requester.userID, ignoredUsers: []), filter: filter)
  }

  private func bodies(_ timeline: RoomTimeline) -> [Text] {
    timeline.entries.compactMap { $0.event.content["body"]?.string }
  }
}
