import MatrixEvents
import MatrixPrimitives
import Replication
import Testing

@testable import RoomServices

/// Rules that hold whichever endpoint asks.
@Suite struct RoomServiceRuleTests {
  private let alice = RoomFixture.alice
  private let bob = RoomFixture.bob

  @Test func joinedRoomsAreListed() async throws {
    let server = try await RoomFixture()
    let (first, second) = (try await server.createRoom(), try await server.createRoom())
    #expect(Set(try await server.rooms.memberships.joinedRooms(of: alice.userID)) == [first, second])
    try await server.change(.leave, first, by: alice)
    #expect(try await server.rooms.memberships.joinedRooms(of: alice.userID) == [second])
    #expect(try await server.rooms.memberships.joinedRooms(of: bob.userID).isEmpty)
  }

  @Test func redactionsNameOneEvent() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(alice, ["preset": "public_chat", "room_version": "11"])
    let said = try await server.say("x", room)
    let other = try JSON.object(["redacts": "$other"]).document()
    let refusal = try await server.refusal {
      _ = try await server.rooms.submitter.redact(said, in: room, content: other, transactionID: nil, requester: alice)
    }
    #expect(refusal?.status == 400)
    let content = try JSON.object(["reason": "r"]).document()
    let id = try await server.rooms.submitter.redact(
      said, in: room, content: content, transactionID: nil, requester: alice)
    #expect(try await server.timeline(room).contains { $0.stored.eventID == id })
    let unknown = try await server.refusal {
      _ = try await server.rooms.submitter.redact(
        said, in: RoomID(unchecked: "!none:test"), content: content, transactionID: nil, requester: alice)
    }
    #expect(unknown?.status == 404)
  }

  @Test func anEventIsFoundWithoutItsRoom() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(alice, ["preset": "private_chat"])
    let said = try await server.say("x", room)
    #expect(try await server.rooms.history.event(said, requester: alice).stored.eventID == said)
    for (id, requester) in [(said, bob), (EventID(unchecked: "$none"), alice)] {
      let refusal = try await server.refusal { _ = try await server.rooms.history.event(id, requester: requester) }
      #expect(refusal != nil)
    }
  }
}
