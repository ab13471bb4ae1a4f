import MatrixPrimitives
import Replication
import Testing

@testable import Stores

@Suite struct ToDeviceStoreTests {
  private let alice = UserID(unchecked: "@alice:test")
  private let bob = UserID(unchecked: "@bob:test")

  private func fixture() async throws -> StoreFixture {
    let stores = try await StoreFixture()
    _ = try await stores.database.client.run(
      """
      INSERT INTO devices (user_id, device_id, hidden) VALUES ('@alice:test', 'A', false), ('@alice:test', 'B', false),
        ('@alice:test', 'master', true), ('@bob:test', 'C', false)
      """)
    return stores
  }

  private func texts(_ store: ToDeviceStore, _ user: UserID, _ device: Text, after: Int64 = 0) async throws -> [Text] {
    try await store.messages(for: user, device: device, after: after, upTo: store.currentToken).messages.map {
      Text(decoding: $0, as: UTF8.self)
    }
  }

  @Test func messagesReachTheDevicesThatThereAre() async throws {
    let stores = try await fixture()
    let (store, rows) = (stores.users.toDevice, stores.rows(of: .toDevice))
    let message = Array(#"{"n":1}"#.utf8)
    _ = try await store.add(
      local: [alice: ["*": message], bob: ["C": message, "NONE": message, "*": message]], remote: [:])
    #expect(try await texts(store, alice, "A") == [#"{"n":1}"#])
    #expect(try await texts(store, alice, "B") == [#"{"n":1}"#])
    #expect(try await texts(store, alice, "master").isEmpty)
    #expect(try await texts(store, bob, "C") == [#"{"n":1}"#])
    #expect(try await texts(store, bob, "NONE").isEmpty)
    #expect(await rows.all() == [.toDevice("@alice:test"), .toDevice("@bob:test")])
  }

  @Test func pagesGoOnWhereTheLastOneEnded() async throws {
    let stores = try await fixture()
    let store = stores.users.toDevice
    for number in 0..<250 {
      _ = try await store.add(local: [alice: ["A": Array(#"{"n":\#(number)}"#.utf8)]], remote: [:])
    }
    let end = store.currentToken
    var (place, sizes, read): (Int64, [Int], [Text]) = (0, [], [])
    while place < end {
      let page = try await store.messages(for: alice, device: "A", after: place, upTo: end)
      sizes.append(page.messages.count)
      read += page.messages.map { Text(decoding: $0, as: UTF8.self) }
      place = page.upTo
    }
    #expect(sizes == [100, 100, 50])
    #expect((read == (0..<250).map { #"{"n":\#($0)}"# }) as Bool)
    try await store.deleteMessages(for: alice, device: "A", upTo: end - 10)
    #expect(try await texts(store, alice, "A").count == 10)
    #expect(try await store.messages(for: alice, device: "A", after: 0, upTo: end, limit: 3).messages.count == 3)
  }

  @Test func theNameOfAMessageBetweenServersIsLeftOut() async throws {
    let stores = try await fixture()
    let store = stores.users.toDevice
    for message in [#"{"type":"t","message_id":"m"}"#, #"{"type":"\"message_id\"","content":{"message_id":"m"}}"#]
      as [Text]
    {
      _ = try await store.add(local: [bob: ["C": Array(message.utf8)]], remote: [:])
    }
    let found = try await texts(store, bob, "C")
    #expect(found == [#"{"type":"t"}"#, #"{"type":"\"message_id\"","content":{"message_id":"m"}}"#])
  }
}
