import MatrixPrimitives
import Replication
import Stores
import Testing

@testable import AccountServices

/// Rules about passwords and devices that hold whichever endpoint asks.
@Suite("Rules about passwords and devices")
struct AccountRuleTests {
  @Test("A changed password ends the other sessions, if asked for")
  func ownPassword() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice")
    _ = try await server.open(alice.userID, "E")
    try await server.accounts.passwords.change(
      of: alice.userID, to: "second", endsSessions: false, keeping: alice.accessTokenID)
    #expect(try await server.deviceIDs(of: alice.userID) == ["D", "E"])
    try await server.accounts.passwords.change(
      of: alice.userID, to: "third", endsSessions: true, keeping: alice.accessTokenID)
    #expect(try await server.deviceIDs(of: alice.userID) == ["D"])
    #expect(try await server.accepts("third", of: alice.userID))
    #expect(try await !server.accepts("second", of: alice.userID))
  }

  @Test("A password that is set by somebody else ends all sessions")
  func resetPassword() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice")
    try await server.accounts.passwords.change(of: alice.userID, to: "reset", endsSessions: true, keeping: nil)
    #expect(try await server.deviceIDs(of: alice.userID).isEmpty)
    #expect(try await server.accepts("reset", of: alice.userID))
  }

  @Test("Own passwords are held to the policy")
  func policy() async throws {
    let server = try await AccountFixture(
      settings: "password_config: {policy: {enabled: true, minimum_length: 8}}")
    #expect(throws: MatrixError.self) { try server.accounts.passwords.check("short") }
    #expect(throws: Never.self) { try server.accounts.passwords.check("long enough") }
  }

  private func body(_ user: Text, _ password: Text, session: JSON?) throws -> JSONValue {
    var auth: [Text: JSON] = [
      "type": "m.login.password", "identifier": ["type": "m.id.user", "user": .string(user)],
      "password": .string(password),
    ]
    if let session { auth["session"] = session }
    return try JSON.object(["auth": .object(auth)]).document()
  }

  @Test("Whoever shows another's password is refused; a session authorises one request")
  func confirmation() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice")
    _ = try await server.register("bob", password: "bobs")
    let confirmation = server.accounts.confirmation
    let operation = UserInteractiveAuth.Operation(
      uri: "/x", method: "POST", description: "do it", client: AccountFixture.client)
    let empty = try JSON.object([:]).document()
    let asked = try #require(
      try await server.stages { try await confirmation.confirm(alice.userID, operation, body: empty) })
    #expect(asked["flows"] == [["stages": ["m.login.password"]]])
    let wrong = try body("alice", "guess", session: asked["session"])
    let failed = try await server.stages { try await confirmation.confirm(alice.userID, operation, body: wrong) }
    #expect(failed?["errcode"] == "M_FORBIDDEN")
    let right = try body("alice", "secret", session: asked["session"])
    try await confirmation.confirm(alice.userID, operation, body: right)
    #expect(
      try await server.refusal { try await confirmation.confirm(alice.userID, operation, body: right) }?.status == 400)
    let others = try body("bob", "bobs", session: nil)
    #expect(
      try await server.refusal { try await confirmation.confirm(alice.userID, operation, body: others) }?.status == 403)
  }

  @Test("A device shows a use that is not stored yet")
  func devices() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice")
    let devices = server.accounts.devices
    let device = try await devices.device("D", of: alice.userID)
    #expect(device.lastSeenIP == AccountFixture.client.ip && device.lastSeenMilliseconds != nil)
    let stored = try await server.stores.devices.device("D", of: alice.userID)
    #expect(stored?.lastSeenIP == nil)
    #expect(try await devices.list(of: alice.userID).map(\.lastSeenIP) == [AccountFixture.client.ip])
    let unknown = try await server.refusal { _ = try await devices.device("X", of: alice.userID) }
    #expect(unknown?.status == 404)
  }

  @Test("A device is renamed, or only looked for")
  func renaming() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice")
    let devices = server.accounts.devices
    try await devices.rename("D", of: alice.userID, to: "Phone")
    try await devices.rename("D", of: alice.userID, to: nil)
    #expect(try await devices.device("D", of: alice.userID).displayName == "Phone")
    let long = Text(repeating: "x", count: 101)
    #expect(try await server.refusal { try await devices.rename("D", of: alice.userID, to: long) }?.status == 400)
    for name in [nil, "Phone", long] {
      #expect(try await server.refusal { try await devices.rename("X", of: alice.userID, to: name) }?.status == 404)
    }
  }

  @Test("Profiles are read whole or by field")
  func profiles() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice")
    let profiles = server.accounts.profiles
    try await profiles.set("m.tz", to: "CET", of: alice.userID, by: alice, isAdministrator: false)
    let fields = try await profiles.fields(of: alice.userID, for: alice, address: "")
    #expect(fields == ["displayname": "alice", "m.tz": "CET"])
    #expect(try await profiles.field("m.tz", of: alice.userID, for: alice, address: "") == "CET")
    #expect(try await profiles.field("avatar_url", of: alice.userID, for: alice, address: "") == nil)
    for (name, status) in [("m.none", 404), ("M", 400)] {
      let refusal = try await server.refusal {
        _ = try await profiles.field(name, of: alice.userID, for: alice, address: "")
      }
      #expect(refusal?.status == status)
    }
  }

  @Test("An account without bound identifiers lists none")
  func identifiers() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice")
    #expect(try await server.accounts.identifiers(of: alice.userID).isEmpty)
  }
}
