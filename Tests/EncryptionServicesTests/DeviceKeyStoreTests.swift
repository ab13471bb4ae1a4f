import MatrixPrimitives
import Postgres
import Stores
import Testing

@testable import EncryptionServices

@Suite struct DeviceKeyStoreTests {
  @Test func `counts what is uploaded, takes the same key twice and no other of its name`() async throws {
    let fixture = try await EncryptionFixture()
    let (keys, alice) = (fixture.main.stores.deviceKeys, try await fixture.user("alice"))
    let first = try await keys.store(
      DeviceKeyRows(identityKeys: #"{"a":1}"#, oneTimeKeys: oneTimeKeys(1...3)), of: alice, device: "D",
      nowMilliseconds: 1)
    #expect(first.isDeviceChanged && first.refusal == nil)
    #expect(first.oneTimeKeyCounts == ["a": 3, "signed_curve25519": 0])
    let again = try await keys.store(
      DeviceKeyRows(identityKeys: #"{"a":1}"#, oneTimeKeys: oneTimeKeys(2...4)), of: alice, device: "D",
      nowMilliseconds: 2)
    #expect(!again.isDeviceChanged && again.oneTimeKeyCounts["a"] == 4)
    let other = try await keys.store(
      DeviceKeyRows(identityKeys: #"{"a":2}"#, oneTimeKeys: oneTimeKeys(4...5, value: "x")), of: alice, device: "D",
      nowMilliseconds: 3)
    #expect(other.isDeviceChanged && other.refusal?.status == 400 && other.oneTimeKeyCounts["a"] == 4)
    let stored = try await fixture.database.client.run("SELECT key_json FROM e2e_device_keys_json").first
    #expect(try stored?.get(0, as: Text.self) == #"{"a":2}"#)
    let announced = try await fixture.invalidations()
    #expect(announced == Array(repeating: "count_e2e_one_time_keys @alice:test D", count: 2))
  }

  @Test func `keeps at most 500 one-time keys and a fallback key for each of 20 algorithms`() async throws {
    let fixture = try await EncryptionFixture()
    let (keys, alice) = (fixture.main.stores.deviceKeys, try await fixture.user("alice"))
    func store(_ rows: DeviceKeyRows) async throws -> DeviceKeyOutcome {
      try await keys.store(rows, of: alice, device: "D", nowMilliseconds: 1)
    }
    #expect(try await store(DeviceKeyRows(oneTimeKeys: oneTimeKeys(1...500))).refusal == nil)
    #expect(try await store(DeviceKeyRows(oneTimeKeys: oneTimeKeys(500...501))).refusal?.code == .tooLarge)
    let fallback = (1...21).map { DeviceKeyRows.Key(algorithm: "a\($0)", id: "i", json: "{}") }
    #expect(try await store(DeviceKeyRows(fallbackKeys: fallback)).refusal?.code == .tooLarge)
    #expect(try await store(DeviceKeyRows(fallbackKeys: Array(fallback.dropLast()))).refusal == nil)
  }

  @Test func `takes no keys of a device that is gone, unless a session has it`() async throws {
    let fixture = try await EncryptionFixture()
    let (keys, alice) = (fixture.main.stores.deviceKeys, try await fixture.user("alice", devices: []))
    let rows = DeviceKeyRows(identityKeys: "{}")
    let refused = try await fixture.refusal {
      _ = try await keys.store(rows, of: alice, device: "D", nowMilliseconds: 1)
    }
    #expect(refused?.code == .unknownToken)
    _ = try await fixture.database.client.run(
      "INSERT INTO access_tokens (id, user_id, device_id, token) VALUES (1, '@alice:test', 'D', 't')")
    let stored = try await keys.store(rows, of: alice, device: "D", nowMilliseconds: 1)
    #expect(stored.isDeviceChanged)
    #expect(try await fixture.main.stores.publicKeys.keys(of: [alice])[alice]?.devices.map(\.id) == ["D"])
  }

  @Test func `hands out the oldest key first, then the fallback key, which is used from then on`() async throws {
    let fixture = try await EncryptionFixture()
    let (keys, alice) = (fixture.main.stores.deviceKeys, try await fixture.user("alice"))
    for (time, number) in [(30, 1), (10, 2), (20, 3)] {
      _ = try await keys.store(
        DeviceKeyRows(oneTimeKeys: oneTimeKeys([number])), of: alice, device: "D", nowMilliseconds: Int64(time))
    }
    let fallback = DeviceKeyRows(fallbackKeys: [.init(algorithm: "a", id: "F", json: #"{"key":"f"}"#)])
    _ = try await keys.store(fallback, of: alice, device: "D", nowMilliseconds: 40)
    let claim = KeyClaim(user: alice, device: "D", algorithm: "a")
    var names: [Text] = []
    for _ in 0..<5 { names += try await fixture.other.stores.deviceKeys.claim([claim]).map(\.name) }
    #expect(names == ["a:100002", "a:100003", "a:100001", "a:F", "a:F"])
    let announced = try await fixture.invalidations().suffix(4)
    #expect(announced.filter { $0 == "get_e2e_unused_fallback_key_types @alice:test D" }.count == 1)
    _ = try await keys.store(fallback, of: alice, device: "D", nowMilliseconds: 50)
    let used = try await fixture.database.client.run("SELECT used FROM e2e_fallback_keys_json").first
    #expect(try used?.get(0, as: Bool.self) == true)
  }

  @Test func `answers several claims at once, each device by itself`() async throws {
    let fixture = try await EncryptionFixture()
    let keys = fixture.main.stores.deviceKeys
    let (alice, bob) = (try await fixture.user("alice", devices: ["D", "E"]), try await fixture.user("bob"))
    for (user, device) in [(alice, "D"), (alice, "E"), (bob, "D")] as [(UserID, Text)] {
      _ = try await keys.store(
        DeviceKeyRows(oneTimeKeys: oneTimeKeys(1...2)), of: user, device: device, nowMilliseconds: 1)
    }
    let claims = [
      KeyClaim(user: alice, device: "D", algorithm: "a"), KeyClaim(user: alice, device: "E", algorithm: "a"),
      KeyClaim(user: bob, device: "D", algorithm: "a"), KeyClaim(user: bob, device: "D", algorithm: "b"),
      KeyClaim(user: bob, device: "X", algorithm: "a"),
    ]
    let claimed = try await keys.claim(claims)
    #expect(claimed.count == 3 && claimed.allSatisfy { $0.name == "a:100001" })
    #expect(Set(claimed.map { "\($0.user) \($0.device)" as Text }).count == 3)
  }

  @Test func `gives no key to two of 16 who claim at two processes at once`() async throws {
    let fixture = try await EncryptionFixture()
    let alice = try await fixture.user("alice")
    let rows = DeviceKeyRows(
      oneTimeKeys: oneTimeKeys(1...300), fallbackKeys: [.init(algorithm: "a", id: "F", json: "{}")])
    _ = try await fixture.main.stores.deviceKeys.store(rows, of: alice, device: "D", nowMilliseconds: 1)
    let names = try await withThrowingTaskGroup(of: [Text].self) { group in
      for number in 0..<16 {
        let keys = (number.isMultiple(of: 2) ? fixture.main : fixture.other).stores.deviceKeys
        group.addTask {
          var names: [Text] = []
          for _ in 0..<20 {
            names += try await keys.claim([KeyClaim(user: alice, device: "D", algorithm: "a")]).map(\.name)
          }
          return names
        }
      }
      return try await group.reduce(into: [Text]()) { $0 += $1 }
    }
    let oneTime = names.filter { $0 != "a:F" }
    #expect(names.count == 320 && oneTime.count == 300 && Set(oneTime).count == 300)
  }
}
