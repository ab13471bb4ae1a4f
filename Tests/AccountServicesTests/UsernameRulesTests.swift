import MatrixPrimitives
import Testing

@testable import AccountServices

@Suite("Names of new accounts")
struct UsernameRulesTests {
  @Test("Names within the grammar are taken", arguments: ["alice", "a.b-c_d=e/f+g", "0x1", "a"])
  func good(name: Text) {
    #expect(throws: Never.self) {
      try UsernameRules.check(name, serverName: "example.com", allowUnderscorePrefix: false)
    }
  }

  @Test(
    "Others are refused as invalid", arguments: ["", "Alice", "_bot", "12345", "ä", "a b", "a:b", "@a", "a\u{0}"])
  func bad(name: Text) {
    let error = #expect(throws: MatrixError.self) {
      try UsernameRules.check(name, serverName: "example.com", allowUnderscorePrefix: false)
    }
    #expect(error?.errcode == "M_INVALID_USERNAME")
  }

  @Test("The whole ID has at most 255 bytes")
  func length() {
    let fits = Text(repeating: "a", count: 255 - 13)
    #expect(throws: Never.self) {
      try UsernameRules.check(fits, serverName: "example.com", allowUnderscorePrefix: false)
    }
    #expect(throws: MatrixError.self) {
      try UsernameRules.check(fits + "a", serverName: "example.com", allowUnderscorePrefix: false)
    }
  }
}
