import MatrixPrimitives
import Replication
import Testing

@testable import Stores

@Suite struct PusherStoreTests {
  private let alice = UserID(unchecked: "@alice:test")
  private let bob = UserID(unchecked: "@bob:test")

  private static func pusher(_ key: Text, device: Text? = "D", name: Text = "A") -> Pusher {
    Pusher(
      kind: "http", appID: "app", pushKey: key, appDisplayName: name, deviceDisplayName: "Phone", profileTag: "",
      language: "en", data: Array(#"{"url":"u"}"#.utf8), isEnabled: true, deviceID: device)
  }

  private static func row(_ user: UserID, _ key: Text, deleted: Bool) -> StreamRow {
    .pusher(PusherRow(userID: user, appID: "app", pushKey: key, isDeleted: deleted))
  }

  @Test func aPusherIsReplacedAndStaysWithItsDevice() async throws {
    let stores = try await StoreFixture()
    let (store, rows) = (stores.accounts.pushers, stores.rows(of: .pushers))
    try await store.set(Self.pusher("k"), of: alice, replacesOthers: true)
    try await store.set(Self.pusher("k", device: "OTHER", name: "B"), of: alice, replacesOthers: true)
    let pushers = try await store.pushers(of: alice)
    #expect(pushers.count == 1 && pushers.first?.appDisplayName == "B" && pushers.first?.deviceID == "D")
    #expect(pushers.first?.data == Array(#"{"url":"u"}"#.utf8))
    #expect(await rows.all() == [Self.row(alice, "k", deleted: false), Self.row(alice, "k", deleted: false)])
    let stored = try await stores.database.client.run(
      "SELECT id, instance_name, last_stream_ordering, ts > 0 FROM pushers")
    let (id, instance, ordering, hasTime) = try #require(stored.first).decode(
      Int64.self, Text.self, Int64.self, Bool.self)
    #expect(id >= 2 && instance == "master" && ordering == 0 && hasTime)
  }

  @Test func othersPushersOfTheSameDeviceGoUnlessTheyMayStay() async throws {
    let stores = try await StoreFixture()
    let store = stores.accounts.pushers
    try await store.set(Self.pusher("k"), of: alice, replacesOthers: true)
    try await store.set(Self.pusher("k"), of: bob, replacesOthers: false)
    #expect(try await store.pushers(of: alice).count == 1)
    let rows = stores.rows(of: .pushers)
    try await store.set(Self.pusher("k"), of: bob, replacesOthers: true)
    #expect(try await store.pushers(of: alice).isEmpty)
    #expect(await rows.all() == [Self.row(alice, "k", deleted: true), Self.row(bob, "k", deleted: false)])
    let deleted = try await stores.database.client.run("SELECT app_id, pushkey, user_id FROM deleted_pushers")
    #expect(try deleted.map { try $0.get(2, as: Text.self) } == ["@alice:test"])
  }

  @Test func pushersAreDeletedByNameByUserAndByDevice() async throws {
    let stores = try await StoreFixture()
    let store = stores.accounts.pushers
    for (key, device) in [("1", "D"), ("2", "E"), ("3", "E")] as [(Text, Text)] {
      try await store.set(Self.pusher(key, device: device), of: alice, replacesOthers: true)
    }
    #expect(try await store.pushers(of: alice, madeBy: ["E", "F"]).map(\.pushKey) == ["2", "3"])
    let rows = stores.rows(of: .pushers)
    try await store.remove(appID: "app", pushKey: "2", of: alice)
    try await store.remove(appID: "app", pushKey: "2", of: alice)
    #expect(await rows.all() == [Self.row(alice, "2", deleted: true)])
    try await store.removeAll(of: alice)
    #expect(try await store.pushers(of: alice).isEmpty)
    #expect(await rows.all().count == 3)
  }

  @Test func processesForgetWhoHasAPusher() async throws {
    let stores = try await StoreFixture()
    try await stores.accounts.pushers.set(Self.pusher("k"), of: alice, replacesOthers: true)
    let rows = try await stores.database.client.run(
      "SELECT keys FROM cache_invalidation_stream_by_instance WHERE cache_func = 'get_if_user_has_pusher'")
    #expect(try rows.map { try $0.get(0, as: [Text].self) } == [["@alice:test"]])
  }

  @Test func aUserHasABoundedNumber() async throws {
    let stores = try await StoreFixture()
    _ = try await stores.database.client.run(
      """
      INSERT INTO pushers (id, user_name, kind, app_id, pushkey, app_display_name, device_display_name, profile_tag, ts)
      SELECT -n, '@alice:test', 'http', 'app', n::text, '', '', '', 0 FROM generate_series(1, 500) AS n
      """)
    try await stores.accounts.pushers.set(Self.pusher("7"), of: alice, replacesOthers: true)
    await #expect(throws: MatrixError.self) {
      try await stores.accounts.pushers.set(Self.pusher("new"), of: alice, replacesOthers: true)
    }
    #expect(try await stores.accounts.pushers.pushers(of: alice).count == 500)
  }
}
