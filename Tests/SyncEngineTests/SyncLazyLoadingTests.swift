import MatrixPrimitives
import RoomServices
import Stores
import Testing

@testable import SyncEngine

@Suite struct SyncLazyLoadingTests {
  let alice = SyncFixture.alice
  let bob = SyncFixture.bob
  let carol = SyncFixture.carol
  let filter: JSON = ["room": ["state": ["lazy_load_members": true], "timeline": ["limit": 2]]]

  @Test func onlySendersOfTheTimelineAreIntroduced() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom()
    for user in [bob, carol] { try await server.change(.join, room, by: user) }
    for number in 0..<3 { try await server.say("b\(number)", room, bob) }
    let first = try await server.sync(filter: filter)
    let members = (first.joined(room)?.keys("state") ?? []).filter { $0.hasPrefix("m.room.member|") }
    #expect(members == ["m.room.member|@alice:test", "m.room.member|@bob:test", "m.room.member|@carol:test"])
    #expect(first.joined(room)?.at("summary", "m.joined_member_count") == 3)
    #expect(first.joined(room)?.at("summary", "m.heroes") == ["@bob:test", "@carol:test"])
  }

  @Test func aNamedRoomNeedsNoHeroesAndMembersAreNotRepeated() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom(alice, ["preset": "public_chat", "name": "Den"])
    for user in [bob, carol] { try await server.change(.join, room, by: user) }
    for number in 0..<3 { try await server.say("b\(number)", room, bob) }
    let first = try await server.sync(filter: filter)
    let members = (first.joined(room)?.keys("state") ?? []).filter { $0.hasPrefix("m.room.member|") }
    #expect(members == ["m.room.member|@alice:test", "m.room.member|@bob:test"])
    #expect(first.joined(room)?.at("summary", "m.heroes") == nil)

    try await server.say("again", room, bob)
    let second = try await server.sync(since: first.next, filter: filter)
    #expect(second.joined(room)?.at("state", "events") == [])
    try await server.say("hello", room, carol)
    let third = try await server.sync(since: second.next, filter: filter)
    #expect(third.joined(room)?.keys("state") == ["m.room.member|@carol:test"])
    let repeated = try await server.sync(since: second.next, filter: filter)
    #expect(repeated.joined(room)?.keys("state") == ["m.room.member|@carol:test"], "the answer may not have arrived")
  }

  @Test func redundantMembersComeWhenAskedFor() async throws {
    let server = try await SyncFixture()
    let room = try await server.createRoom(alice, ["preset": "public_chat", "name": "Den"])
    try await server.change(.join, room, by: bob)
    let redundant: JSON = ["room": ["state": ["lazy_load_members": true, "include_redundant_members": true]]]
    let first = try await server.sync(filter: redundant)
    try await server.say("x", room, bob)
    let second = try await server.sync(since: first.next, filter: redundant)
    #expect(second.joined(room)?.keys("state") == ["m.room.member|@bob:test"])
  }

  @Test func aDeviceIsRememberedUpToTheTokenItReturnsWith() {
    var cache = LazyMemberCache()
    let room = RoomID(unchecked: "!r:test")
    cache.markSent(room, "@a:test", "$1", at: MultiWriterToken(stream: 5))
    cache.markSent(room, "@b:test", "$2", at: MultiWriterToken(stream: 9))
    cache.start(since: MultiWriterToken(stream: 7))
    #expect(cache.wasSent(room, "@a:test", "$1"))
    #expect(!cache.wasSent(room, "@a:test", "$3"))
    #expect(!cache.wasSent(room, "@b:test", "$2"))
    for number in 0..<1000 { cache.markSent(room, "@\(number):test", "$", at: MultiWriterToken(stream: 7)) }
    #expect(!cache.wasSent(room, "@a:test", "$1"))
    cache.start(since: nil)
    #expect(!cache.wasSent(room, "@999:test", "$"))
  }
}
