import MatrixPrimitives
import RoomServices
import Stores
import Testing

@testable import SyncEngine

/// Rooms whose members do not see each other's presence (`exclude_rooms_from_presence`).
@Suite struct PresenceExclusionTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob

  // The room's id is known only once it is made, so a second server has it in its settings.
  @Test func membersOfAnExcludedRoomAloneSeeNothing() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    try await server.change(.join, room, by: bob)
    try await server.services.presence.setState(bob.userID, device: "B", state: "online", statusMessage: "here")
    func seen(_ answer: JSON) -> Set<Text> {
      Set(answer.at("presence", "events")?.elements?.compactMap { $0["sender"]?.string } ?? [])
    }
    let first = try await server.sync(alice)
    #expect(seen(first).contains("@bob:test"))

    let excluding = try await SyncFixture(
      settings: "exclude_rooms_from_presence: [\"\(room.rawValue)\"]", on: server.database)
    try await excluding.services.presence.setState(
      bob.userID, device: "B", state: "online", statusMessage: "still here")
    #expect(!seen(try await excluding.sync(alice)).contains("@bob:test"))
    #expect(!seen(try await excluding.sync(alice, since: first.next)).contains("@bob:test"))
    #expect(try await !excluding.services.presence.isVisible(bob.userID, to: alice.userID))
    let other = try await excluding.createRoom()
    try await excluding.change(.join, other, by: bob)
    #expect(try await excluding.services.presence.isVisible(bob.userID, to: alice.userID))
    #expect(seen(try await excluding.sync(alice)).contains("@bob:test"))
  }
}
