import MatrixPrimitives
import Stores
import Testing

@testable import RoomServices

/// The list of a room's threads.
@Suite struct ThreadListTests {
  let alice = RoomFixture.alice
  let bob = RoomFixture.bob
  let carol = RoomFixture.carol

  private func reply(_ root: EventID) -> [Text: JSON] {
    ["m.relates_to": ["rel_type": "m.thread", "event_id": .string(root.rawValue)]]
  }

  private func ids(_ page: HistoryService.ThreadPage) -> [EventID] { page.chunk.map(\.stored.eventID) }

  @Test func threadsAreInTheOrderOfTheirNewestEventsAndPaged() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    var roots: [EventID] = []
    for number in 0..<3 { roots.append(try await server.say("\(number)", room)) }
    for root in roots + [roots[0]] { try await server.say("reply", room, extra: reply(root)) }
    try await server.say("no thread", room)
    func page(_ before: HistoryService.ThreadPlace?, _ limit: Int) async throws -> HistoryService.ThreadPage {
      try await server.rooms.history.threads(
        room: room, before: before, limit: limit, onlyParticipated: false, requester: alice)
    }
    let all = try await page(nil, 10)
    #expect(ids(all) == [roots[0], roots[2], roots[1]] && all.next == nil)
    #expect(all.chunk.map { $0.aggregations?.thread?.count } == [2, 1, 1])
    let first = try await page(nil, 2)
    #expect(ids(first) == [roots[0], roots[2]])
    let second = try await page(first.next, 2)
    #expect(ids(second) == [roots[1]] && second.next == nil)
    #expect(ids(try await page(nil, 0)).count == 1, "a limit of none is one of one")
  }

  @Test func ownThreadsAreThoseBegunOrWrittenInto() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    let begun = try await server.say("begun by bob", room, bob)
    let joined = try await server.say("joined", room)
    let foreign = try await server.say("foreign", room)
    for (root, user) in [(begun, alice), (joined, bob), (foreign, alice)] {
      try await server.say("reply", room, user, extra: reply(root))
    }
    let page = try await server.rooms.history.threads(
      room: room, before: nil, limit: 10, onlyParticipated: true, requester: bob)
    #expect(ids(page) == [joined, begun])
  }

  @Test func whoMayNotLookIntoTheRoomSeesNoThread() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(alice, ["preset": "private_chat"])
    try await server.change(.invite, room, by: alice, of: bob)
    try await server.change(.join, room, by: bob)
    let before = try await server.say("before", room)
    try await server.say("reply", room, extra: reply(before))
    try await server.change(.leave, room, by: bob)
    let after = try await server.say("after", room)
    try await server.say("reply", room, extra: reply(after))
    func threads(_ user: Requester) async throws -> [EventID] {
      ids(
        try await server.rooms.history.threads(
          room: room, before: nil, limit: 10, onlyParticipated: false, requester: user))
    }
    #expect(try await threads(alice) == [after, before])
    #expect(try await threads(bob) == [before])
    await #expect(throws: MatrixError.self) { _ = try await threads(carol) }
  }
}
