import MatrixPrimitives
import SeededNumbers
import Testing

@Suite struct IdentifierTests {
  @Test(arguments: ["@a:b", "@:b", "@Älice:example.org:8448", "@a:[::1]:80", "@a b:c"])
  func acceptsUserIDs(_ text: Text) {
    #expect(UserID(text)?.rawValue == text)
  }

  @Test(arguments: ["", "@", "a:b", "@a", "@a:", "!a:b", "@a\u{0}:b", "@" + Text(repeating: "x", count: 253) + ":b"])
  func refusesWhatIsNoUserID(_ text: Text) {
    #expect(UserID(text) == nil)
  }

  @Test func splitsIdentifiers() {
    let user = UserID(unchecked: "@alice:example.org:8448")
    #expect(user.localpart == "alice")
    #expect(user.serverName == "example.org:8448")
    #expect(UserID(localpart: "a", serverName: "b") == UserID("@a:b"))
    #expect(RoomID("!abc:x")?.serverName == "x")
    #expect(RoomID("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM")?.serverName == nil)
    #expect(RoomID("!31hneApxJ")?.localpart == "31hneApxJ")
    #expect(EventID("$x:y")?.serverName == "y")
    #expect(EventID("$abc")?.serverName == nil)
    #expect(EventID("$") == nil)
    #expect(RoomID("!") == nil)
    #expect(RoomAlias("#a:b:1")?.serverName == "b:1")
    #expect(RoomAlias("#a") == nil)
    #expect(UserID(unchecked: "").localpart.isEmpty)
    #expect(UserID(unchecked: "@a").serverName.isEmpty)
  }

  @Test func checksTheStrictGrammarOfLocalparts() {
    #expect(UserID(unchecked: "@a.b_c=d-e/f+0:x").hasStrictLocalpart)
    #expect(!UserID(unchecked: "@A:x").hasStrictLocalpart)
    #expect(!UserID(unchecked: "@:x").hasStrictLocalpart)
  }

  @Test func comparesByBytesNotByUnicodeEquivalence() {
    let composed = UserID(unchecked: "@\u{E9}:x")
    let decomposed = UserID(unchecked: "@e\u{301}:x")
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect(decomposed < composed)
    #expect(EventID(unchecked: "$B") < EventID(unchecked: "$a"))
    #expect(EventID(unchecked: "$a") < EventID(unchecked: "$aa"))
  }

  @Test(arguments: [
    "a", "example.org", "example.org:8448", "1.2.3.4", "1.2.3.4:1", "[::1]", "[2001:db8::1.2.3.4]:65535", "A-b",
  ])
  func acceptsServerNames(_ text: Text) {
    #expect(ServerName.isValid(text))
  }

  @Test(arguments: [
    "", ":", ":80", "a:", "a:0", "a:65536", "a:123456", "a:1x", "a b", "a_b", "ä", "[::1", "[]", "[zz]", "[::1]x",
    "a:+1", "a:80:80",
    Text(repeating: "a", count: 256),
  ])
  func refusesWhatIsNoServerName(_ text: Text) {
    #expect(!ServerName.isValid(text))
  }

  @Test func tellsAddressesFromNames() {
    #expect(ServerName("1.2.3.4")?.isIPLiteral == true)
    #expect(ServerName("[::1]:80")?.isIPLiteral == true)
    #expect(ServerName("1.2.3")?.isIPLiteral == false)
    #expect(ServerName("256.1.1.1")?.isIPLiteral == false)
    #expect(ServerName("a.b.c.d")?.isIPLiteral == false)
    #expect(ServerName("x:80")?.port == 80)
  }

  @Test(arguments: 0..<4 as Range<UInt64>)
  func survivesRandomIdentifiers(seed: UInt64) {
    var random = SeededRandom(seed)
    for _ in 0..<2000 {
      let text = (["@", "!", "$", "#", ""].randomElement(using: &random) ?? "") + RandomJSON.string(&random)
      _ = UserID(text).map { ($0.localpart, $0.serverName, $0.hasStrictLocalpart) }
      _ = RoomID(text).map { ($0.localpart, $0.serverName) }
      _ = EventID(unchecked: text).localpart
      _ = RoomAlias(text)?.serverName
      #expect(ServerName(text).map { $0.host.utf8.count <= text.utf8.count } ?? true)
    }
  }
}
