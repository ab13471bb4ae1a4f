import MatrixEvents
import MatrixPrimitives
import Replication
import Stores
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite struct MembershipServiceTests {
  @Test func aRoomByInvitationLetsInJustTheInvited() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(RoomFixture.alice, ["preset": "private_chat", "name": "Secret"])
    let uninvited = try await server.refusal { try await server.change(.join, room, by: RoomFixture.bob) }
    #expect(uninvited?.status == 403 && uninvited?.errcode == "M_FORBIDDEN")
    let invite = try await server.change(.invite, room, by: RoomFixture.alice, of: RoomFixture.bob)
    let stored = try #require(try await server.stores.events.event(invite))
    let stripped = try #require(stored.event.unsigned?["invite_room_state"]?.elements)
    #expect(stripped.contains { $0["type"]?.string == "m.room.name" && $0["content"]?["name"]?.string == "Secret" })
    #expect(stripped.contains { $0["state_key"]?.string == "@alice:test" })
    let joined = try await server.change(.join, room, by: RoomFixture.bob)
    #expect(try await server.change(.join, room, by: RoomFixture.bob) == joined)
    try await server.change(.leave, room, by: RoomFixture.bob)
    let back = try await server.refusal { try await server.change(.join, room, by: RoomFixture.bob) }
    #expect(back?.status == 403)
  }

  @Test func bansHoldUntilTheyAreLifted() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: RoomFixture.bob)
    let weak = try await server.refusal {
      try await server.change(.ban, room, by: RoomFixture.bob, of: RoomFixture.alice)
    }
    #expect(weak?.status == 403)
    let early = try await server.refusal {
      try await server.change(.unban, room, by: RoomFixture.alice, of: RoomFixture.bob)
    }
    #expect(early?.errcode == "M_BAD_STATE")
    try await server.change(.ban, room, by: RoomFixture.alice, of: RoomFixture.bob)
    let banned = try await server.refusal { try await server.change(.join, room, by: RoomFixture.bob) }
    #expect(banned?.errcode == "M_BAD_STATE" && banned?.status == 403)
    try await server.change(.unban, room, by: RoomFixture.alice, of: RoomFixture.bob)
    try await server.change(.join, room, by: RoomFixture.bob)
    try await server.change(.kick, room, by: RoomFixture.alice, of: RoomFixture.bob)
    let twice = try await server.refusal {
      try await server.change(.kick, room, by: RoomFixture.alice, of: RoomFixture.bob)
    }
    #expect(twice?.status == 403)
  }

  @Test func restrictedRoomsLetInMembersOfTheRequiredRoom() async throws {
    let server = try await RoomFixture()
    let space = try await server.createRoom()
    let rule: JSON = [
      "join_rule": "restricted", "allow": [["type": "m.room_membership", "room_id": .string(space.rawValue)]],
    ]
    let room = try await server.createRoom(
      RoomFixture.alice,
      ["room_version": "10", "initial_state": [["type": "m.room.join_rules", "state_key": "", "content": rule]]])
    let outside = try await server.refusal { try await server.change(.join, room, by: RoomFixture.bob) }
    #expect(outside?.status == 403)
    try await server.change(.join, space, by: RoomFixture.bob)
    let joined = try await server.change(.join, room, by: RoomFixture.bob)
    let event = try #require(try await server.stores.events.event(joined))
    #expect(event.content["join_authorised_via_users_server"]?.string == "@alice:test")
  }

  @Test func knockingAsksToBeLetIn() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(
      RoomFixture.alice,
      ["initial_state": [["type": "m.room.join_rules", "content": ["join_rule": "knock"]]], "room_version": "10"])
    try await server.change(.knock, room, by: RoomFixture.bob)
    #expect(try await server.stores.memberships.membership(of: RoomFixture.bob.userID, in: room)?.membership == .knock)
    try await server.change(.invite, room, by: RoomFixture.alice, of: RoomFixture.bob)
    try await server.change(.join, room, by: RoomFixture.bob)
  }

  @Test func aRoomCanBeForgottenOnceItIsLeft() async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom()
    let inside = try await server.refusal {
      try await server.rooms.memberships.forget(room, user: RoomFixture.alice.userID)
    }
    #expect(inside?.status == 400)
    try await server.change(.join, room, by: RoomFixture.bob)
    try await server.change(.leave, room, by: RoomFixture.bob)
    try await server.rooms.memberships.forget(room, user: RoomFixture.bob.userID)
    let forgotten = try await server.refusal { _ = try await server.timeline(room, RoomFixture.bob) }
    #expect(forgotten?.status == 403)
  }

  @Test func roomsElsewhereAndUsersElsewhereAnswerClientErrors() async throws {
    let server = try await RoomFixture()
    let elsewhere = RoomID(unchecked: "!room:elsewhere")
    let join = try await server.refusal { try await server.change(.join, elsewhere, by: RoomFixture.bob) }
    #expect(join?.status == 404)
    let leave = try await server.refusal { try await server.change(.leave, elsewhere, by: RoomFixture.bob) }
    #expect(leave?.status == 404)
    let room = try await server.createRoom()
    let remote = Requester(userID: UserID(unchecked: "@eve:elsewhere"))
    let invite = try await server.refusal { try await server.change(.invite, room, by: RoomFixture.alice, of: remote) }
    #expect(invite?.status == 403)
    let shy = try await server.refusal {
      try await server.change(.invite, room, by: RoomFixture.alice, of: RoomFixture.requester("shy"))
    }
    #expect(shy?.errcode == "M_INVITE_BLOCKED")
    let suspended = try await server.refusal {
      try await server.change(.join, room, by: RoomFixture.requester("suspended"))
    }
    #expect(suspended?.errcode == "M_USER_SUSPENDED")
  }
}
