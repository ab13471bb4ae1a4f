import MatrixPrimitives
import Testing

@Suite("Case and length by bytes")
struct ASCIICaseTests {
  @Test(
    "Only A to Z are folded",
    arguments: [
      ("Alice_42", "alice_42"), ("\u{212A}elvin", "\u{212A}elvin"), ("\u{C4}B\u{130}", "\u{C4}b\u{130}"), ("", ""),
      ("E\u{301}", "e\u{301}"),
    ])
  func folding(text: Text, wanted: Text) {
    #expect(Array(text.asciiLowercased.utf8) == Array(wanted.utf8))
  }

  @Test("A beginning has whole code points and at most the bytes asked for")
  func beginnings() {
    let text = "a\u{E9}e\u{301}\u{1F600}z"
    for limit in -1...(text.utf8.count + 1) {
      let beginning = text.utf8Prefix(limit)
      #expect(beginning.utf8.count <= max(0, limit))
      #expect(text.utf8.starts(with: beginning.utf8))
      let next = text.unicodeScalars.dropFirst(beginning.unicodeScalars.count).first
      #expect(next.map { beginning.utf8.count + UTF8.width($0) > limit } ?? true)
    }
    #expect(("x" + Text(repeating: "\u{301}", count: 1000)).utf8Prefix(500).utf8.count == 499)
  }
}
