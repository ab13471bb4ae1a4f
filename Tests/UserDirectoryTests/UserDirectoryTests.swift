import MatrixPrimitives
import Postgres
import ServerConfig
import TestSupport
import Testing

@testable import Stores
@testable import UserDirectory

/// Who is found by whom.
@Suite struct UserDirectoryTests {
  private let square = RoomID(unchecked: "!square:test")
  private let den = RoomID(unchecked: "!den:test")
  private let stranger = UserID(unchecked: "@zoe:elsewhere")

  @Test func `members of an open room are found by all, those of a closed one by each other`() async throws {
    let fixture = try await DirectoryFixture()
    let (alice, bob) = (try await fixture.account("alice"), try await fixture.account("bob"))
    for user in [alice, bob] { try await fixture.member(user, square, "join") }
    for user in [alice, bob, stranger] { try await fixture.member(user, den, "join") }
    try await fixture.update([alice, bob], square, isOpen: true)
    // A member is enough for all its pairs, and twice is as good as once.
    for _ in 0..<2 { try await fixture.update([alice, stranger], den, isOpen: false) }
    #expect(try await fixture.inOpenRooms() == ["@alice:test !square:test", "@bob:test !square:test"])
    // The first of a pair is a user of this server.
    #expect(
      try await fixture.pairs() == [
        "@alice:test @bob:test", "@alice:test @zoe:elsewhere", "@bob:test @alice:test", "@bob:test @zoe:elsewhere",
      ])
  }

  @Test func `who has left is not found through the room any more`() async throws {
    let fixture = try await DirectoryFixture()
    let (alice, bob) = (try await fixture.account("alice"), try await fixture.account("bob"))
    for room in [square, den] {
      for user in [alice, bob] { try await fixture.member(user, room, "join") }
      try await fixture.update([alice, bob], room, isOpen: room == square)
      try await fixture.member(bob, room, "leave")
      try await fixture.update([bob], room, isOpen: room == square)
    }
    #expect(try await fixture.inOpenRooms() == ["@alice:test !square:test"])
    #expect(try await fixture.pairs() == [])
  }

  @Test func `support users and deactivated users are not found`() async throws {
    let fixture = try await DirectoryFixture()
    let (alice, helper) = (try await fixture.account("alice"), try await fixture.account("helper", type: "support"))
    let gone = try await fixture.account("gone")
    _ = try await fixture.accounts.deactivations.deactivate(gone, erases: false)
    for user in [alice, helper, gone] {
      for room in [square, den] { try await fixture.member(user, room, "join") }
    }
    try await fixture.update([alice, helper, gone], square, isOpen: true)
    try await fixture.update([alice, helper, gone], den, isOpen: false)
    #expect(try await fixture.inOpenRooms() == ["@alice:test !square:test"])
    #expect(try await fixture.pairs() == [])
  }

  @Test func `a room that closes or opens is written anew`() async throws {
    let fixture = try await DirectoryFixture()
    let users = [try await fixture.account("alice"), try await fixture.account("bob"), stranger]
    for user in users { try await fixture.member(user, square, "join") }
    try await fixture.update(users, square, isOpen: true)
    try await fixture.stores.userDirectory.reindex(square, isOpen: false)
    #expect(try await fixture.inOpenRooms() == [])
    #expect(try await fixture.pairs().count == 4)
    try await fixture.stores.userDirectory.reindex(square, isOpen: true)
    #expect(try await fixture.inOpenRooms().count == 3)
    #expect(try await fixture.pairs() == [])
  }

  @Test func `when the last local user leaves, users of other servers go with the room`() async throws {
    let fixture = try await DirectoryFixture()
    let alice = try await fixture.account("alice")
    for room in [square, den] {
      for user in [alice, stranger] { try await fixture.member(user, room, "join", name: "Zoe") }
      try await fixture.update([alice, stranger], room, isOpen: room == square)
    }
    let event = EventID(unchecked: "$\(square.rawValue)\(stranger.rawValue)join")
    try await fixture.stores.userDirectory.noteRemoteProfiles([event], open: [square], retryMilliseconds: 5)
    let known: SQL = "SELECT user_id || ' ' || display_name FROM user_directory WHERE display_name IS NOT NULL"
    #expect(try await fixture.texts(known) == ["@zoe:elsewhere Zoe"])
    try await fixture.member(alice, square, "leave")
    try await fixture.update([alice], square, isOpen: true)
    #expect(try await fixture.inOpenRooms() == [])
    #expect(try await fixture.texts(known) == ["@zoe:elsewhere Zoe"])
    try await fixture.member(alice, den, "leave")
    try await fixture.update([alice], den, isOpen: false)
    #expect(try await fixture.texts(known) == [])
    #expect(try await fixture.texts("SELECT user_id FROM user_directory_search") == ["@alice:test"])
  }

  @Test func `what somebody is called in a private room is not shown, but asked for`() async throws {
    let fixture = try await DirectoryFixture()
    try await fixture.member(stranger, den, "join", name: "Secret")
    let event = EventID(unchecked: "$\(den.rawValue)\(stranger.rawValue)join")
    try await fixture.stores.userDirectory.noteRemoteProfiles([event], open: [], retryMilliseconds: 77)
    let stale: SQL =
      "SELECT user_id || ' ' || user_server_name || ' ' || next_try_at_ts FROM user_directory_stale_remote_users"
    #expect(try await fixture.texts(stale) == ["@zoe:elsewhere elsewhere 77"])
    #expect(try await fixture.texts("SELECT user_id FROM user_directory") == [])
  }

  @Test func `the position moves only from where it is thought to be`() async throws {
    let fixture = try await DirectoryFixture()
    let store = fixture.stores.userDirectory
    let start = try #require(try await store.position())
    #expect(try await store.advance(from: start, to: 5))
    #expect(try await !store.advance(from: start, to: 6))
    #expect(try await store.position() == 5)
    _ = try await fixture.database.run("UPDATE user_directory_stream_pos SET stream_id = NULL")
    #expect(try await store.position() == nil)
  }

  // MARK: Searching

  private func names(
    _ fixture: DirectoryFixture, _ term: Text, by user: UserID, limit: Int = 10
  ) async throws -> [Text] {
    let service = UserDirectoryService(stores: fixture.stores, accounts: fixture.accounts.accounts)
    return try await service.search(term, by: user, limit: limit).users.map(\.userID.localpart)
  }

  @Test func `users are found by the beginnings of words, whole words first, and only by those who may`() async throws {
    let fixture = try await DirectoryFixture()
    let alice = try await fixture.account("alice", displayName: "Ängström")
    let ann = try await fixture.account("ann", displayName: "An")
    let anna = try await fixture.account("anna", displayName: "Anna O'Neil")
    let hidden = try await fixture.account("anhidden")
    for user in [ann, anna] { try await fixture.member(user, square, "join") }
    try await fixture.update([ann, anna], square, isOpen: true)
    for user in [alice, hidden] { try await fixture.member(user, den, "join") }
    try await fixture.update([alice, hidden], den, isOpen: false)
    #expect(try await names(fixture, "ann", by: ann) == ["ann", "anna"])
    #expect(try await names(fixture, "an", by: ann).contains("anhidden") == false)
    #expect(try await names(fixture, "an", by: alice).contains("anhidden"))
    #expect(try await names(fixture, "ÄNG", by: hidden) == ["alice"])
    #expect(try await names(fixture, "o'neil & \\ | !", by: ann) == ["anna"])
    #expect(try await names(fixture, "@anna:test", by: ann) == ["anna"])
    for term in ["", " ", "'", "&", "\u{0}", "!!!"] as [Text] {
      #expect(try await names(fixture, term, by: ann) == [])
    }
    #expect(try await names(fixture, Text(repeating: "x", count: 5000), by: ann) == [])
  }

  @Test func `a search says whether there are more`() async throws {
    let fixture = try await DirectoryFixture(settings: "user_directory: {search_all_users: true}")
    let asker = try await fixture.account("asker")
    for number in 0..<4 { _ = try await fixture.account("many\(number)", displayName: "Many") }
    let service = UserDirectoryService(stores: fixture.stores, accounts: fixture.accounts.accounts)
    for (limit, count, isLimited) in [(0, 0, true), (3, 3, true), (4, 4, false), (-1, 0, true), (.max, 4, false)] {
      let result = try await service.search("many", by: asker, limit: limit)
      #expect(result.users.count == count && result.isLimited == isLimited, "\(limit)")
    }
    // All users are found then, but the one who asks.
    #expect(try await names(fixture, "asker", by: asker) == [])
  }

  @Test func `locked users, and those of other servers, are found as the settings say`() async throws {
    for (settings, wanted) in [
      ("", ["zoe", "zora"]), ("show_locked_users: true", ["zed", "zoe", "zora"]),
      ("exclude_remote_users: true", ["zora"]), ("prefer_local_users: true", ["zoe", "zora"]),
    ] as [(Text, [Text])] {
      let fixture = try await DirectoryFixture(settings: "user_directory: {search_all_users: true, \(settings)}")
      let (asker, zora) = (try await fixture.account("asker"), try await fixture.account("zora"))
      let zed = try await fixture.account("zed")
      try await fixture.accounts.accounts.setLocked(zed, true)
      try await fixture.database.transaction("remote") { txn in
        UserDirectoryIndex.enqueue([.init(userID: stranger, displayName: nil, avatarURL: nil)], in: txn)
      }
      let found = try await names(fixture, "z", by: asker)
      #expect(found.sorted() == wanted, "\(settings)")
      // Equal matches come in the order of their identifiers, but those of this server count twice.
      if settings.contains("prefer_local_users") { #expect(found.first == zora.localpart) }
    }
  }

  @Test func `rooms that two users are both in come in pages`() async throws {
    let fixture = try await DirectoryFixture()
    let (alice, bob) = (try await fixture.account("alice"), try await fixture.account("bob"))
    for number in 0..<103 {
      let room = RoomID(unchecked: "!room\(1000 + number):test")
      try await fixture.member(alice, room, "join")
      try await fixture.member(bob, room, number == 7 ? "leave" : "join")
    }
    let service = UserDirectoryService(stores: fixture.stores, accounts: fixture.accounts.accounts)
    let first = try await service.mutualRooms(of: alice, with: bob, from: nil)
    #expect(first.count == 102 && first.rooms.count == 100)
    let second = try await service.mutualRooms(of: alice, with: bob, from: first.next)
    #expect(second.rooms.map(\.rawValue) == ["!room1101:test", "!room1102:test"] && second.next == nil)
    await #expect(throws: MatrixError.self) { try await service.mutualRooms(of: alice, with: alice, from: nil) }
    await #expect(throws: MatrixError.self) { try await service.mutualRooms(of: alice, with: bob, from: "%%") }
  }
}
