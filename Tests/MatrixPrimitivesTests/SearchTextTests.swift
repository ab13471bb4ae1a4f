import MatrixPrimitives
import Testing

@Suite struct SearchTextTests {
  @Test(arguments: [
    ("Öach", "öach"), ("o\u{308}ach", "ÖACH"), ("ПРИВЕТ", "привет"), ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"), ("Straße", "STRASSE"),
    ("\u{212A}elvin", "kelvin"), ("\u{212B}", "å"), ("\u{1100}\u{1161}\u{11A8}", "각"), ("\u{3392}", "mhz"),
    ("ﬁnd", "FIND"),
    ("\u{10400}", "\u{10428}"), ("", ""), ("a\u{0}B", "A\u{0}b"),
  ])
  func equalButForCaseAndWidth(left: Text, right: Text) {
    #expect(SearchText(left) == SearchText(right))
    #expect(SearchText("x\(left)y").contains(SearchText(right)))
  }

  @Test(arguments: [("oach", "öach"), ("각", "가"), ("s", "ss"), ("é", "e")])
  func different(text: Text, term: Text) {
    #expect(!SearchText(text).contains(SearchText(term)))
  }

  @Test func everythingContainsTheEmptyText() {
    #expect(SearchText("a").contains(SearchText("")))
    #expect(SearchText("").contains(SearchText("")))
    #expect(!SearchText("").contains(SearchText("a")))
  }

  @Test func foldingAgainChangesNothing() {
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let once = SearchText(Text(scalar))
      let twice = SearchText(Text(decoding: once.bytes, as: UTF8.self))
      if once != twice { Issue.record("U+\(String(value, radix: 16)) folds to something that folds again") }
    }
  }
}
