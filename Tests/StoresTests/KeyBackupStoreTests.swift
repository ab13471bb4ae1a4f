import MatrixPrimitives
import Postgres
import Testing

@testable import Stores

@Suite struct KeyBackupStoreTests {
  private let alice = UserID(unchecked: "@alice:test")
  private let bob = UserID(unchecked: "@bob:test")

  private static func session(
    _ id: Text, room: Text = "!r:test", index: Int32 = 5, forwarded: Int32 = 3, verified: Bool = false,
    data: Text = "{}"
  ) -> BackedUpSession {
    BackedUpSession(
      roomID: room, sessionID: id, firstMessageIndex: index, forwardedCount: forwarded, isVerified: verified,
      data: Array(data.utf8))
  }

  private func backup(_ store: KeyBackupStore) async throws -> Int64 {
    try await store.addVersion(algorithm: "m.a", authData: Array(#"{"k":1}"#.utf8), of: alice)
  }

  private func refusal(_ body: @Sendable () async throws -> Void) async throws -> MatrixError? {
    do { try await body() } catch let error as MatrixError { return error }
    return nil
  }

  @Test func versionsAreCountedUpAndTheNewestIsTheCurrentOne() async throws {
    let store = try await StoreFixture().encryption.keyBackups
    #expect(try await store.version(nil, of: alice) == nil)
    #expect(try await backup(store) == 1)
    #expect(try await backup(store) == 2)
    #expect(try await store.addVersion(algorithm: "m.b", authData: Array("{}".utf8), of: bob) == 1)
    let current = try #require(try await store.version(nil, of: alice))
    #expect(current.number == 2 && current.algorithm == "m.a" && current.authData == Array(#"{"k":1}"#.utf8))
    #expect(current.contents == KeyBackupContents(etag: 0, count: 0))
    try await store.deleteVersion(2, of: alice)
    #expect(try await store.version(nil, of: alice)?.number == 1)
    #expect(try await store.version(2, of: alice) == nil)
    #expect(try await store.hasVersion(1, of: alice))
    #expect(try await !store.hasVersion(2, of: alice))
    // The number of a deleted version is not given again: a client that still has its key would take it for that one.
    #expect(try await backup(store) == 3)
    try await store.deleteVersion(2, of: alice)
    #expect(try await refusal { try await store.deleteVersion(9, of: alice) }?.code == .notFound)
  }

  @Test func theDescriptionIsReplacedOnlyForTheSameAlgorithm() async throws {
    let store = try await StoreFixture().encryption.keyBackups
    let version = try await backup(store)
    try await store.updateVersion(version, algorithm: "m.a", authData: Array(#"{"k":2}"#.utf8), of: alice)
    try await store.updateVersion(version, algorithm: "m.a", authData: nil, of: alice)
    #expect(try await store.version(version, of: alice)?.authData == Array(#"{"k":2}"#.utf8))
    let other = try await refusal {
      try await store.updateVersion(version, algorithm: "m.b", authData: nil, of: alice)
    }
    #expect(other?.code == .invalidParam)
    let missing = try await refusal { try await store.updateVersion(7, algorithm: "m.a", authData: nil, of: alice) }
    #expect(missing?.code == .notFound)
  }

  @Test func ofTwoSessionsTheBetterOneStays() async throws {
    let store = try await StoreFixture().encryption.keyBackups
    let version = try await backup(store)
    // Each is offered after the one before; whether it replaces it.
    let offers: [(index: Int32, forwarded: Int32, verified: Bool, replaces: Bool)] = [
      (5, 3, false, true), (5, 3, false, false), (5, 4, false, false), (6, 0, false, false), (5, 2, false, true),
      (4, 9, false, true), (99, 99, true, true), (0, 0, false, false), (99, 98, true, true), (100, 0, true, false),
      (98, 99, true, true),
    ]
    var etag: Int64 = 0
    for (number, offer) in offers.enumerated() {
      let session = Self.session(
        "S", index: offer.index, forwarded: offer.forwarded, verified: offer.verified, data: #"{"n":\#(number)}"#)
      let contents = try await store.add([session], to: version, of: alice)
      etag += offer.replaces ? 1 : 0
      #expect(contents == KeyBackupContents(etag: etag, count: 1), "offer \(number)")
      let kept = try await store.sessions(in: version, room: nil, session: nil, limit: 9, of: alice)
      #expect((kept.first?.data == session.data) == offer.replaces, "offer \(number)")
    }
  }

  @Test func onlyTheCurrentVersionTakesKeys() async throws {
    let store = try await StoreFixture().encryption.keyBackups
    let (first, second) = (try await backup(store), try await backup(store))
    _ = try await store.add([Self.session("S")], to: second, of: alice)
    let old = try await refusal { _ = try await store.add([Self.session("S")], to: first, of: alice) }
    #expect(old?.code == .wrongRoomKeysVersion && old?.extras["current_version"] == "2")
    let unknown = try await refusal { _ = try await store.add([Self.session("S")], to: 9, of: alice) }
    #expect(unknown?.code == .notFound)
    try await store.deleteVersion(second, of: alice)
    #expect(try await store.sessions(in: second, room: nil, session: nil, limit: 9, of: alice).isEmpty)
    #expect(try await store.add([Self.session("S")], to: first, of: alice).count == 1)
  }

  @Test func aPartOrAllIsDeletedAndCounted() async throws {
    let store = try await StoreFixture().encryption.keyBackups
    let version = try await backup(store)
    let sessions = ["A", "B", "C"].flatMap { (room: Text) in
      ["1", "2"].map { (id: Text) in Self.session(id, room: room) }
    }
    #expect(try await store.add(sessions, to: version, of: alice) == KeyBackupContents(etag: 1, count: 6))
    #expect(
      try await store.delete(from: version, room: "A", session: "1", of: alice)
        == KeyBackupContents(etag: 2, count: 5))
    #expect(
      try await store.delete(from: version, room: "B", session: nil, of: alice) == KeyBackupContents(etag: 3, count: 3))
    #expect(try await store.version(nil, of: alice)?.contents == KeyBackupContents(etag: 3, count: 3))
    #expect(
      try await store.delete(from: version, room: nil, session: nil, of: alice) == KeyBackupContents(etag: 4, count: 0))
    #expect(try await refusal { _ = try await store.delete(from: 9, room: nil, session: nil, of: alice) } != nil)
  }

  @Test func thousandsOfSessionsAreReadInPages() async throws {
    let store = try await StoreFixture().encryption.keyBackups
    let version = try await backup(store)
    let sessions = (0..<3_000).map { Self.session("S\($0 % 100)", room: "!\($0 / 100):test") }
    #expect(try await store.add(sessions, to: version, of: alice).count == 3_000)
    var (read, last): (Set<Text>, BackedUpSession?) = ([], nil)
    while true {
      let page = try await store.sessions(in: version, room: nil, session: nil, after: last, limit: 700, of: alice)
      read.formUnion(page.map { "\($0.roomID) \($0.sessionID)" })
      last = page.last
      if page.count < 700 { break }
    }
    #expect(read.count == 3_000)
    #expect(try await store.sessions(in: version, room: "!7:test", session: "S3", limit: 9, of: alice).count == 1)
    #expect(try await store.sessions(in: version, room: "!7:test", session: nil, limit: 999, of: alice).count == 100)
  }

  @Test func writersAtTheSameTimeAreCountedEach() async throws {
    let store = try await StoreFixture().encryption.keyBackups
    let version = try await backup(store)
    try await withThrowingTaskGroup(of: Void.self) { [alice] group in
      for number in 0..<16 {
        group.addTask { _ = try await store.add([Self.session("S\(number)")], to: version, of: alice) }
        group.addTask { _ = try await store.addVersion(algorithm: "m.c", authData: [123, 125], of: self.bob) }
      }
      try await group.waitForAll()
    }
    #expect(try await store.version(nil, of: alice)?.contents == KeyBackupContents(etag: 16, count: 16))
    #expect(try await store.version(nil, of: bob)?.number == 16)
  }

  @Test func theBackupGoesWithTheAccount() async throws {
    let stores = try await StoreFixture()
    let store = stores.encryption.keyBackups
    let version = try await backup(store)
    _ = try await store.add([Self.session("S")], to: version, of: alice)
    _ = try await stores.accounts.deactivations.deactivate(alice, erases: false)
    #expect(try await store.version(nil, of: alice) == nil)
    #expect(try await store.sessions(in: version, room: nil, session: nil, limit: 9, of: alice).isEmpty)
  }
}
