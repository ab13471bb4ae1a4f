import MatrixPrimitives
import Replication
import Testing

@testable import AccountServices

@Suite("Registration over several requests")
struct RegistrationFlowTests {
  private static let open: Text = "enable_registration: true\nenable_registration_without_verification: true"

  private func register(
    _ server: AccountFixture, _ body: JSON, hasToken: Bool = false
  ) async throws -> RegisteredAccount {
    try await server.accounts.registrationFlow.register(
      try body.document(), uri: "/register", hasToken: hasToken, client: AccountFixture.client)
  }

  @Test("The password of the first request is remembered; a repeated last request gets the same session")
  func stages() async throws {
    let server = try await AccountFixture(settings: Self.open)
    let asked = try await server.stages {
      _ = try await register(server, ["username": "Alice", "password": "secret", "device_id": "D"])
    }
    #expect(asked?["flows"] == [["stages": ["m.login.dummy"]]])
    let session = try #require(asked?["session"])
    let last: JSON = ["auth": ["type": "m.login.dummy", "session": session]]
    let account = try await register(server, last)
    #expect(account.userID.rawValue == "@alice:test")
    #expect(account.session?.deviceID == "D")
    #expect(try await server.accepts("secret", of: account.userID))
    let again = try await register(server, last)
    #expect(again.userID == account.userID && again.session?.accessToken == account.session?.accessToken)
  }

  @Test("A client that wants no session gets none")
  func inhibitedLogin() async throws {
    let server = try await AccountFixture(settings: Self.open)
    let account = try await register(
      server, ["username": "alice", "password": "secret", "inhibit_login": true, "auth": ["type": "m.login.dummy"]])
    #expect(account.session == nil)
    #expect(try await server.deviceIDs(of: account.userID).isEmpty)
  }

  @Test("What cannot be registered is refused before any stage")
  func refusals() async throws {
    let server = try await AccountFixture(settings: Self.open)
    _ = try await server.register("taken")
    let refused: [(JSON, Text)] = [
      (["username": "taken", "password": "secret"], "M_USER_IN_USE"),
      (["username": "no space", "password": "secret"], "M_INVALID_USERNAME"),
      (["username": 1], "M_BAD_JSON"), (["username": "bob", "device_id": ""], "M_INVALID_PARAM"),
      (["username": "bob", "auth": ["type": "m.login.dummy"]], "M_MISSING_PARAM"),
    ]
    for (body, code) in refused {
      #expect(try await server.refusal { _ = try await register(server, body) }?.errcode == code, "\(body)")
    }
    let withToken = try await server.refusal { _ = try await register(server, [:], hasToken: true) }
    #expect(withToken?.status == 400)
  }

  @Test("Without registration nobody registers or asks for names")
  func disabled() async throws {
    let server = try await AccountFixture()
    let flow = server.accounts.registrationFlow
    #expect(try await server.refusal { _ = try await register(server, ["username": "a"]) }?.status == 403)
    #expect(try await server.refusal { try await flow.checkAvailable("a", address: "1") }?.status == 403)
    #expect(try await server.refusal { _ = try await flow.isValid(token: { "t" }, address: "1") }?.status == 403)
    let empty = try JSON.object([:]).document()
    #expect(try await server.refusal { _ = try await flow.registerGuest(empty, address: "1") }?.status == 403)
  }

  @Test("Names and tokens are asked for")
  func questions() async throws {
    let server = try await AccountFixture(settings: Self.open)
    _ = try await server.register("taken")
    let flow = server.accounts.registrationFlow
    try await flow.checkAvailable("free", address: "1")
    #expect(
      try await server.refusal { try await flow.checkAvailable("taken", address: "2") }?.errcode == "M_USER_IN_USE")
    #expect(
      try await server.refusal { try await flow.checkAvailable(nil, address: "3") }?.errcode == "M_MISSING_PARAM")
    #expect(try await !flow.isValid(token: { "none" }, address: "1"))
  }

  @Test("An administrator's account is ready at once, with a session only where one is wanted")
  func administrators() async throws {
    let server = try await AccountFixture()
    let flow = server.accounts.registrationFlow
    var submission = RegistrationService.Submission(localpart: "root")
    submission.isAdmin = true
    let root = try await flow.registerByAdministrator(
      submission, password: "secret", device: .init(deviceID: "D", displayName: nil))
    #expect(root.session?.deviceID == "D")
    #expect(try await server.accepts("secret", of: root.userID))
    let token = try #require(root.session?.accessToken)
    let requester = try await server.requester(token)
    #expect(try await server.accounts.authenticator.isAdministrator(requester))
    let other = try await flow.registerByAdministrator(.init(localpart: "other"), password: "x", device: nil)
    #expect(other.session == nil)
    #expect(try await server.deviceIDs(of: other.userID).isEmpty)
  }

  @Test("Guests get the guests' device")
  func guests() async throws {
    let server = try await AccountFixture(settings: "allow_guest_access: true")
    let empty = try JSON.object([:]).document()
    let guest = try await server.accounts.registrationFlow.registerGuest(empty, address: "1")
    #expect(guest.session?.deviceID == "guest_device")
    let token = try #require(guest.session?.accessToken)
    #expect(try await server.requester(token).isGuest)
  }
}
