import MatrixEvents
import MatrixPrimitives
import Stores
import Testing

@testable import RoomServices

@Suite struct SearchTests {
  private func query(_ rooms: [RoomID], _ term: Text, _ keys: [Text] = ["content.body"]) -> SearchStore.Query {
    SearchStore.Query(rooms: rooms, term: term, keys: keys)
  }

  @Test func theStoreFindsByWordsKeysAndRooms() async throws {
    let server = try await RoomFixture()
    let (room, other) = (try await server.createRoom(), try await server.createRoom())
    let first = try await server.say("teapots are here", room)
    let second = try await server.say("another teapot, a teapot", room)
    let third = try await server.say("a teapot elsewhere", other)
    _ = try await server.set("m.room.topic", ["topic": "a teapot in a topic"], room)
    let search = server.stores.search
    let newest = try await search.newest(query([room, other], "teapot"), before: nil, limit: 10)
    #expect(newest.map(\.eventID) == [third, second, first])
    #expect(try await search.newest(query([room], "teapot"), before: nil, limit: 1).map(\.eventID) == [second])
    #expect(
      try await search.newest(query([room, other], "teapot"), before: newest[0].place, limit: 10).map(\.eventID)
        == [second, first])
    #expect(try await search.count(query([room, other], "teapot")) == 3)
    #expect(try await search.count(query([room, other], "teapot", ["content.topic"])) == 1)
    let (best, count) = try await search.best(query([room, other], "teapot"))
    #expect(count == 3)
    #expect(best.first?.eventID == second)
    #expect(try await search.best(query([], "teapot")).matches.isEmpty)
  }

  @Test func highlightsAreTheWordsWhateverMarksTheTextHas() async throws {
    let server = try await RoomFixture()
    let words = try await server.stores.search.highlights(
      of: "run\0",
      in: ["Running <<a>> run", "<b>ran</b> >> running", "nothing", Text(repeating: "<", count: 100) + " run"])
    #expect(words == ["running", "run"])
    #expect(try await server.stores.search.highlights(of: "run", in: []).isEmpty)
  }

  @Test func surroundingsOfManyEventsComeTogether() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    var ids: [EventID] = []
    for number in 0..<7 { ids.append(try await server.say("\(number)", room)) }
    let centers = try await server.stores.events.orderedEvents([ids[2], ids[6]])
    let found = try await server.stores.timeline.surroundings(of: centers, before: 2, after: 3)
    #expect(found[ids[2]]?.before.map(\.eventID) == Array(ids[0...1]))
    #expect(found[ids[2]]?.after.map(\.eventID) == Array(ids[3...5]))
    #expect(found[ids[6]]?.before.map(\.eventID) == Array(ids[4...5]))
    #expect(found[ids[6]]?.after.isEmpty == true)
    #expect(found[ids[6]]?.end == centers[1].historyToken)
  }

  @Test func aFilterOfRelationsPicksEvents() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let (plain, root) = (try await server.say("plain", room), try await server.say("root", room))
    try await server.say(
      "reply", room, extra: ["m.relates_to": ["rel_type": "m.thread", "event_id": .string(root.rawValue)]])
    let filter = try EventFilter(text: #"{"related_by_rel_types":["m.thread"]}"#)
    #expect(try await server.stores.timeline.passing(filter, among: [plain, root]) == [root])
  }

  @Test(arguments: ["", "x", "bm9uc2Vuc2U", "YQpi"] as [Text])
  func tokensOfNoSearchAreRefused(token: Text) throws {
    let body = try JSONValue.parse(#"{"search_categories":{"room_events":{"search_term":"x"}}}"#)
    #expect(throws: MatrixError.self) { try SearchRequest(body, batch: token) }
  }

  @Test func aTokenIsReadAsItWasWritten() throws {
    let body = try JSONValue.parse(#"{"search_categories":{"room_events":{"search_term":"x"}}}"#)
    let place = SearchStore.Place(originServerTS: 17, streamOrdering: -4)
    let request = try SearchRequest(body, batch: SearchRequest.token("room_id", "!a:b", place))
    #expect(try request.place == place)
    #expect(request.batch?.group == "room_id")
    #expect(request.batch?.key == "!a:b")
  }
}
