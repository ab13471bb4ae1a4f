import ByteText
import SeededNumbers
import Testing

@testable import EndpointKit

@Suite struct DecodingTests {
  @Test(
    arguments: [
      ("plain", "plain"), ("%21a%3Ab", "!a:b"), ("a+b", "a+b"), ("caf%C3%A9", "café"), ("%2F", "/"), ("%2f", "/"),
      ("", ""), ("%", nil), ("%4", nil), ("%zz", nil), ("%C3", nil), ("%FF%FE", nil), ("a%", nil),
    ] as [(Text, Text?)])
  func `decodes a path segment or refuses it`(encoded: Text, expected: Text?) {
    #expect(PercentDecoding.decodePath(Substring(encoded.string)) == expected)
  }

  @Test(
    arguments: [
      ("a+b", "a b"), ("a%2Bb", "a+b"), ("100%", "100%"), ("%zz+", "%zz "), ("%4", "%4"), ("%C3%A9", "é"), ("%C3", nil),
    ] as [(Text, Text?)])
  func `decodes form text, leaving stray percent signs`(encoded: Text, expected: Text?) {
    #expect(PercentDecoding.decodeForm(Substring(encoded.string)) == expected)
  }

  @Test func `keeps repeated query names in order`() throws {
    let query = try #require(QueryParameters("via=a.org&limit=5&via=b.org&&flag&empty="))
    #expect(query.all("via") == ["a.org", "b.org"])
    #expect(query.first("limit") == "5")
    #expect(query.first("flag") == "")
    #expect(query.first("empty") == "")
    #expect(query.first("absent") == nil)
  }

  @Test func `refuses a query that is not UTF-8`() {
    #expect(QueryParameters("a=%FF") == nil)
    #expect(QueryParameters("%FF=a") == nil)
  }

  @Test func `decodes any bytes without a trap`() {
    var random = SeededRandom(11)
    let alphabet = Array("%+=&aF09\u{e9}" as String)
    for _ in 0..<2_000 {
      let text = String(
        (0..<Int.random(in: 0...30, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "%" })
      _ = PercentDecoding.decodePath(Substring(text))
      _ = QueryParameters(Substring(text))
    }
  }
}
