import MatrixPrimitives
import Testing

@testable import Stores

@Suite struct DehydratedDeviceStoreTests {
  private let alice = UserID(unchecked: "@alice:test")

  private static func keys(_ name: Text) -> DeviceKeyRows {
    DeviceKeyRows(
      identityKeys: #"{"n":"\#(name)"}"#,
      oneTimeKeys: [DeviceKeyRows.Key(algorithm: "signed_curve25519", id: name, json: "{}")],
      fallbackKeys: [DeviceKeyRows.Key(algorithm: "signed_curve25519", id: "F", json: "{}")])
  }

  private func put(_ store: DehydratedDeviceStore, _ device: Text) async throws -> [Text] {
    try await store.replace(
      with: device, data: Array(#"{"algorithm":"\#(device)"}"#.utf8), displayName: "Dry", keys: Self.keys(device),
      of: alice, nowMilliseconds: 1)
  }

  private func count(_ stores: StoreFixture, _ table: Text, _ device: Text) async throws -> Int {
    try await stores.database.client.run(
      "SELECT count(*) FROM \(identifier: table) WHERE user_id = \(alice.rawValue) AND device_id = \(device)"
    ).first?.get(0) ?? -1
  }

  private static let tables: [Text] = [
    "devices", "e2e_device_keys_json", "e2e_one_time_keys_json", "e2e_fallback_keys_json", "dehydrated_devices",
  ]

  @Test func aDeviceTakesThePlaceOfTheOneBeforeWithAllThatItHas() async throws {
    let stores = try await StoreFixture()
    let store = stores.encryption.dehydratedDevices
    #expect(try await store.device(of: alice) == nil)
    #expect(try await put(store, "ONE") == ["ONE"])
    _ = try await stores.users.toDevice.add(local: [alice: ["ONE": Array("{}".utf8)]], remote: [:])
    #expect(try await count(stores, "device_inbox", "ONE") == 1)
    #expect(try await put(store, "TWO") == ["ONE", "TWO"])
    let device = try #require(try await store.device(of: alice))
    #expect(device.deviceID == "TWO" && device.data == Array(#"{"algorithm":"TWO"}"#.utf8))
    for table in Self.tables + ["device_inbox"] {
      #expect(try await count(stores, table, "ONE") == 0, "\(table)")
    }
    for table in Self.tables { #expect(try await count(stores, table, "TWO") == 1, "\(table)") }
    #expect(try await put(store, "TWO") == ["TWO"])
    for table in Self.tables { #expect(try await count(stores, table, "TWO") == 1, "\(table)") }
  }

  @Test func aDeviceIsDeletedOnItsOwnOrLikeAnyOther() async throws {
    let stores = try await StoreFixture()
    let store = stores.encryption.dehydratedDevices
    #expect(try await store.remove(of: alice) == nil)
    _ = try await put(store, "ONE")
    #expect(try await store.remove(of: alice) == "ONE")
    for table in Self.tables { #expect(try await count(stores, table, "ONE") == 0, "\(table)") }
    _ = try await put(store, "TWO")
    #expect(try await stores.accounts.sessions.end(["TWO"], of: alice) == ["TWO"])
    #expect(try await store.device(of: alice) == nil)
  }

  @Test func aDeviceThatIsLoggedInIsNoneToLeaveBehind() async throws {
    let stores = try await StoreFixture()
    let store = stores.encryption.dehydratedDevices
    _ = try await put(store, "ONE")
    _ = try await stores.database.client.run(
      "INSERT INTO access_tokens (id, user_id, token, device_id) VALUES (1, \(alice.rawValue), 't', 'PHONE')")
    await #expect(throws: MatrixError.self) { try await put(store, "PHONE") }
    #expect(try await store.device(of: alice)?.deviceID == "ONE")
  }
}
