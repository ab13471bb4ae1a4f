import Crypto
import MatrixPrimitives
import Postgres
import Stores
import Testing

@testable import EncryptionServices

/// A key pair of a test.
private struct Pair {
  let key = Curve25519.Signing.PrivateKey()
  var name: Text { UnpaddedBase64.encode(key.publicKey.rawRepresentation) }

  /// Makes a cross-signing key of it, signed by others.
  func crossSigning(_ user: UserID, _ usage: Text, signedBy signer: Pair? = nil) throws -> JSON {
    let value: JSON = [
      "user_id": .string(user.rawValue), "usage": [.string(usage)], "keys": ["ed25519:\(name)": .string(name)],
    ]
    return try signer?.sign(value, as: user) ?? value
  }

  /// Returns an object with nothing but this key's signature.
  func sign(_ value: JSON, as user: UserID, name: Text? = nil) throws -> JSON {
    var value = value
    value["signatures"] = nil
    value["unsigned"] = nil
    let signature = UnpaddedBase64.encode(try key.signature(for: try CanonicalJSON.encode(value)))
    value["signatures"] = [user.rawValue: ["ed25519:\(name ?? self.name)": .string(signature)]]
    return value
  }
}

private struct Refused: Error {}

@Suite struct CrossSigningTests {
  private let master = Pair()
  private let selfSigning = Pair()
  private let userSigning = Pair()

  private func body(_ user: UserID) throws -> JSONValue {
    try JSON.object([
      "master_key": try master.crossSigning(user, "master"),
      "self_signing_key": try selfSigning.crossSigning(user, "self_signing", signedBy: master),
      "user_signing_key": try userSigning.crossSigning(user, "user_signing", signedBy: master),
    ]).document()
  }

  @Test func `asks for no confirmation of the first keys and of the same ones, but of others`() async throws {
    let fixture = try await EncryptionFixture()
    let (service, alice) = (fixture.main.encryption.crossSigning, try await fixture.user("alice"))
    for _ in 0..<2 { try await service.upload(try body(alice), of: alice) { throw Refused() } }
    let rows = try await fixture.database.client.run("SELECT count(*) FROM e2e_cross_signing_keys")
    #expect(try rows.first?.get(0, as: Int.self) == 3)
    let others = CrossSigningTests()
    await #expect(throws: Refused.self) {
      try await service.upload(try others.body(alice), of: alice) { throw Refused() }
    }
    try await service.upload(try others.body(alice), of: alice) {}
    let found = try await fixture.main.stores.publicKeys.keys(of: [alice])[alice]
    #expect(found?.crossSigning[.master]?.publicKey == others.master.name)
    let hidden = try await fixture.database.client.run(
      "SELECT display_name FROM devices WHERE hidden ORDER BY display_name")
    let titles = try hidden.map { try $0.get(0, as: Text.self) }
    #expect(
      titles.count == 6
        && Set(titles) == ["master signing key", "self_signing signing key", "user_signing signing key"])
    #expect(
      try await fixture.invalidations()
        == Array(
          repeating: "_get_bare_e2e_cross_signing_keys @alice:test", count: 2))
  }

  @Test func `lets two first uploads that meet through only once`() async throws {
    let fixture = try await EncryptionFixture()
    let alice = try await fixture.user("alice")
    func store(_ name: Text) async throws -> Bool {
      let key = CrossSigningStore.NewKey(usage: .master, publicKey: name, json: .string(name))
      let outcome = try await fixture.main.stores.crossSigning.store([key], of: alice, isConfirmed: false)
      if case .stored = outcome { return true } else { return false }
    }
    async let (one, two) = (store("one"), store("two"))
    #expect(try await [one, two].filter { $0 }.count == 1)
  }

  @Test func `takes no key whose name a device has, and stores nothing then`() async throws {
    let fixture = try await EncryptionFixture()
    let (service, alice) = (
      fixture.main.encryption.crossSigning, try await fixture.user("alice", devices: [selfSigning.name])
    )
    let refused = try await fixture.refusal { try await service.upload(try body(alice), of: alice) {} }
    #expect(refused?.status == 403 && refused?.code == .forbidden)
    let hidden = try await fixture.database.client.run("SELECT 1 FROM devices WHERE hidden")
    #expect(hidden.isEmpty)
  }

  @Test func `goes back to earlier keys`() async throws {
    let fixture = try await EncryptionFixture()
    let (service, alice) = (fixture.main.encryption.crossSigning, try await fixture.user("alice"))
    for keys in [self, CrossSigningTests(), self] {
      try await service.upload(try keys.body(alice), of: alice) {}
    }
    let found = try await fixture.main.stores.publicKeys.keys(of: [alice])[alice]
    #expect(found?.crossSigning[.master]?.publicKey == master.name)
  }

  @Test func `permits a replacement only where there is a master key`() async throws {
    let fixture = try await EncryptionFixture()
    let (service, alice) = (fixture.main.encryption.crossSigning, try await fixture.user("alice"))
    #expect(try await service.permitReplacement(of: alice) == nil)
    try await service.upload(try body(alice), of: alice) {}
    let until = try #require(try await service.permitReplacement(of: alice))
    let stored = try await fixture.database.client.run(
      "SELECT keytype FROM e2e_cross_signing_keys WHERE updatable_without_uia_before_ms = \(until)")
    #expect(try stored.map { try $0.get(0, as: Text.self) } == ["master"])
  }

  @Test func `stores good signatures once, and announces whose are new as Synapse does`() async throws {
    let fixture = try await EncryptionFixture()
    let (alice, device) = (try await fixture.user("alice"), Pair())
    let identity = try device.sign(
      ["user_id": "@alice:test", "device_id": "D", "keys": ["ed25519:D": .string(device.name)]], as: alice, name: "D")
    _ = try await fixture.main.stores.deviceKeys.store(
      DeviceKeyRows(identityKeys: Text(decoding: try CanonicalJSON.encode(identity), as: UTF8.self)), of: alice,
      device: "D", nowMilliseconds: 1)
    try await fixture.main.encryption.crossSigning.upload(try body(alice), of: alice) {}
    let signed = try selfSigning.sign(identity, as: alice)
    let upload = try JSON.object([alice.rawValue: ["D": signed]]).document()
    for _ in 0..<2 { #expect(try await fixture.main.encryption.keySignatures.upload(upload, of: alice).isEmpty) }
    #expect(
      try await fixture.invalidations().filter { $0.hasPrefix("_get_e2e") } == [
        #"_get_e2e_cross_signing_signatures_for_device ["@alice:test","D"]"#
      ])
    let keys = try #require(try await fixture.main.stores.publicKeys.keys(of: [alice])[alice]?.devices.first)
    let shown = try JSON.parse(keys.json)
    #expect(shown["signatures"]?[alice.rawValue]?["ed25519:\(selfSigning.name)"] != nil)
    #expect(shown["signatures"]?[alice.rawValue]?["ed25519:D"] != nil)
    let wrong = JSON.object([alice.rawValue: ["D": try Pair().sign(identity, as: alice, name: selfSigning.name)]])
    let failures = try await fixture.main.encryption.keySignatures.upload(try wrong.document(), of: alice)
    #expect(failures[alice.rawValue]?["D"]?.code == .invalidSignature)
  }
}
