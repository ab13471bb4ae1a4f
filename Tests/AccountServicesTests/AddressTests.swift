import MatrixPrimitives
import ServerConfig
import Stores
import Testing

@testable import AccountServices

/// Addresses, and the proofs of who owns them, on a real database.
@Suite struct AddressTests {
  @Test(
    arguments: [
      ("0170 1234567", "DE", "491701234567"), ("+49 (170) 123-4567", "US", "491701234567"),
      ("0049 170 1234567", "FR", "491701234567"), ("(201) 555-0123", "US", "12015550123"),
      ("1 201 555 0123", "CA", "12015550123"), ("06 1234 5678", "IT", "390612345678"),
      ("8 912 345 67 89", "RU", "79123456789"), ("7470674927", "GB", "447470674927"),
    ] as [(Text, Text, Text)])
  func numbersBecomeInternational(_ written: Text, _ country: Text, _ wanted: Text) throws {
    #expect(try PhoneNumber.international(written, country: country) == wanted)
  }

  @Test(
    arguments: [
      ("letters", "DE"), ("", "DE"), ("1", "DE"), ("0170 1234567", "XX"), ("0170 1234567", ""),
      ("1234567890123456", "US"),
      ("017\u{661}1234567", "DE"),
    ] as [(Text, Text)])
  func whatIsNoNumberIsRefused(_ written: Text, _ country: Text) {
    #expect(throws: MatrixError.self) { try PhoneNumber.international(written, country: country) }
  }

  @Test func mailAddressesAreFolded() throws {
    #expect(try ThirdPartyAddress.email(" Ünï@Example.ORG ") == "ünï@example.org")
    for wrong in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a\n@c", Text(repeating: "a", count: 500) + "@b"] {
      #expect(throws: MatrixError.self) { try ThirdPartyAddress.email(wrong) }
    }
  }

  @Test func hostsAreWhatBrowsersTakeThemFor() throws {
    let hosts: [(Text, Text)] = [
      ("https://Good.example/a", "good.example"), ("https://good.example:1/", "good.example"),
      ("https://good.example@evil.example/", "evil.example"), ("https://evil.example\\@good.example", "evil.example"),
      ("https://[::1]:80/", "::1"), ("element://x/y", "x"), ("nothing", ""),
      ("https:/evil.example//good.example", ""), ("https:evil.example//good.example", ""),
      ("https:\\\\evil.example//good.example", ""), ("https:///evil.example//good.example", ""),
    ]
    for (url, host) in hosts { #expect(ThirdPartyAddress.host(of: url) == host, "\(url)") }
    for wrong in ["file:///x", "FILE:x", "javascript:x", "data:x", "https://x/ y", "https://x/\n"] as [Text] {
      #expect(throws: MatrixError.self) { try ThirdPartyAddress.check(nextLink: wrong, hosts: nil) }
    }
  }

  @Test func ofEqualRequestsOneCountsAndAFailedOneIsTakenBack() async throws {
    let server = try await AccountFixture()
    let store = server.stores.addressValidations
    let attempts = try await withThrowingTaskGroup(of: AddressValidationStore.Attempt.self) { group in
      for _ in 0..<8 {
        group.addTask { try await store.begin("email", address: "a@x", clientSecret: "s", attempt: 1) }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(attempts.filter(\.isNew).count == 1 && Set(attempts.map(\.session)).count == 1)
    let later = try await store.begin("email", address: "a@x", clientSecret: "s", attempt: 2)
    #expect(later.isNew && later.session == attempts.first?.session)
    try await store.giveBack(later)
    #expect(try await store.begin("email", address: "a@x", clientSecret: "s", attempt: 2).isNew)
    let other = try await store.begin("email", address: "a@x", clientSecret: "t", attempt: 1)
    try await store.giveBack(other)
    #expect(try await store.begin("email", address: "a@x", clientSecret: "t", attempt: 1).session != other.session)
  }

  @Test func linksProveAndProofsAreUsedOnce() async throws {
    let server = try await AccountFixture()
    let store = server.stores.addressValidations
    let session = try await store.begin("email", address: "a@x", clientSecret: "s", attempt: 1).session
    try await store.addLink("token", session: session, nextLink: "https://x/", expiryMilliseconds: 1000)
    func follow(_ session: Text, _ secret: Text, _ token: Text, _ now: Int64) async throws -> Text {
      Text(
        describing: try await store.follow(session: session, clientSecret: secret, token: token, nowMilliseconds: now))
    }
    #expect(try await follow("none", "s", "token", 1) == "unknownSession")
    #expect(try await follow(session, "s", "none", 1) == "unknownToken")
    #expect(try await follow(session, "t", "token", 1) == "otherSecret")
    #expect(try await follow(session, "s", "token", 1000) == "expired")
    #expect(try await store.validated("email", id: session, clientSecret: "s") == nil)
    #expect(try await follow(session, "s", "token", 999).hasPrefix("validated"))
    let proof = try #require(try await store.validated("email", id: session, clientSecret: "s"))
    #expect(proof.address == "a@x" && proof.validatedAtMilliseconds == 999)
    #expect(try await store.validated("email", id: session, clientSecret: "t") == nil)
    let interactive = try await server.stores.userInteractiveAuth.create(
      clientParameters: [:], uri: "/", method: "POST", description: "", nowMilliseconds: 1)
    let uses = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try await store.use(proof, stage: "m.login.email.identity", result: true, interactiveSession: interactive)
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(uses.filter { $0 }.count == 1)
    let stages = try await server.stores.userInteractiveAuth.completedStages(session: interactive)
    #expect(stages == ["m.login.email.identity": true])
  }

  @Test func pruningLeavesWhatIsProved() async throws {
    let server = try await AccountFixture()
    let store = server.stores.addressValidations
    let sessions = try await ["a@x", "b@x"].asyncMap { address in
      let id = try await store.begin("email", address: address, clientSecret: "s", attempt: 1).session
      try await store.addLink("t\(address)", session: id, nextLink: nil, expiryMilliseconds: 10)
      return id
    }
    _ = try await store.follow(session: sessions[0], clientSecret: "s", token: "ta@x", nowMilliseconds: 5)
    try await store.prune(nowMilliseconds: 11)
    #expect(try await store.validated("email", id: sessions[0], clientSecret: "s") != nil)
    #expect(try await store.begin("email", address: "b@x", clientSecret: "s", attempt: 1).session != sessions[1])
  }

  @Test func anAddressIsOneAccounts() async throws {
    let server = try await AccountFixture()
    let (alice, bob) = (try await server.register("alice").userID, try await server.register("bob").userID)
    let store = server.stores.thirdParties
    let won = try await withThrowingTaskGroup(of: Bool.self) { group in
      for user in [alice, bob, alice, bob] {
        group.addTask {
          try await server.refusal {
            try await store.add("email", "a@x", to: user, validatedAtMilliseconds: 1, nowMilliseconds: 2)
          } == nil
        }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(won == 2)
    let owner = try #require(try await server.stores.accounts.user(withThirdParty: "email", "a@x"))
    #expect(try await server.accounts.identifiers(of: owner).count == 1)
    try await store.remove("email", "a@x", from: owner == alice ? bob : alice)
    #expect(try await server.stores.accounts.user(withThirdParty: "email", "a@x") == owner)
    try await store.remove("email", "a@x", from: owner)
    #expect(try await server.stores.accounts.user(withThirdParty: "email", "a@x") == nil)
    try await store.noteBinding("email", "a@x", of: alice, at: "is")
    try await store.noteBinding("email", "a@x", of: alice, at: "is")
    #expect(try await store.bindings("email", "a@x", of: alice) == ["is"])
    #expect(try await store.boundAddresses(of: alice).map(\.address) == ["a@x"])
    try await store.forgetBinding("email", "a@x", of: alice, at: "is")
    #expect(try await store.bindings("email", "a@x", of: alice).isEmpty)
  }

  @Test func tokensAreUsedOnceAndEnd() async throws {
    let server = try await AccountFixture()
    let alice = try await server.register("alice").userID
    let (logins, openID, consents) = (server.stores.loginTokens, server.stores.openIDTokens, server.stores.consents)
    try await logins.add("a", for: alice, expiryMilliseconds: 100)
    let uses = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { try await logins.use("a", nowMilliseconds: 50)?.user == alice } }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(uses == 1)
    try await logins.add("b", for: alice, expiryMilliseconds: 100)
    #expect(try await logins.use("b", nowMilliseconds: 101) == nil)
    try await logins.prune(nowMilliseconds: 300_100)
    try await openID.add("o", for: alice, expiryMilliseconds: 100)
    #expect(try await openID.user(of: "o", nowMilliseconds: 100) == alice)
    #expect(try await openID.user(of: "o", nowMilliseconds: 101) == nil)
    try await openID.prune(nowMilliseconds: 101)
    #expect(try await openID.user(of: "o", nowMilliseconds: 1) == nil)
    #expect(try await consents.version(of: alice) == nil)
    try await consents.agree(alice, to: "1.0", nowMilliseconds: 1)
    #expect(try await consents.version(of: alice) == "1.0")
  }
}

extension Array {
  fileprivate func asyncMap<T>(_ body: (Element) async throws -> T) async rethrows -> [T] {
    var result: [T] = []
    for element in self { result.append(try await body(element)) }
    return result
  }
}
