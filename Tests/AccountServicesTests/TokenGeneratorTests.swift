import MatrixPrimitives
import Testing

@testable import AccountServices

@Suite("Tokens")
struct TokenGeneratorTests {
  @Test("The checksum is the CRC-32 of IEEE 802.3")
  func checksum() {
    #expect(CRC32.checksum("123456789".utf8) == 0xCBF4_3926)
    #expect(CRC32.checksum("".utf8) == 0)
  }

  @Test(
    "Base 62 counts in digits, upper case, lower case and pads with zeros",
    arguments: [
      (UInt32(0), "000000"), (61, "00000z"), (62, "000010"), (.max, "4gfFC3"),
    ])
  func base62(number: UInt32, expected: Text) {
    #expect(TokenGenerator.base62(number, minimumWidth: 6) == expected)
  }

  @Test("An access token carries the localpart and ends in its own checksum")
  func accessToken() throws {
    let token = TokenGenerator.accessToken(for: UserID(unchecked: "@alice:example.com"))
    let parts = token.split(separator: UInt8(ascii: "_"))
    #expect(parts.count == 4)
    #expect(parts[0] == "syt")
    #expect(parts[1] == "YWxpY2U")
    #expect(parts[2].utf8.count == 20)
    let base = parts[0...2].joined(separator: "_")
    #expect(parts[3] == TokenGenerator.base62(CRC32.checksum(base.utf8), minimumWidth: 6))
  }

  @Test("Two tokens of a user differ")
  func unique() {
    let user = UserID(unchecked: "@bob:example.com")
    #expect(Set((0..<100).map { _ in TokenGenerator.refreshToken(for: user) }).count == 100)
  }

  @Test("A device ID has ten upper-case letters")
  func deviceID() {
    let id = TokenGenerator.deviceID()
    #expect(id.utf8.count == 10)
    #expect(id.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) })
  }
}
