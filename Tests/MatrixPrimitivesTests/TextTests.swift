import ByteText
import Testing

@Suite struct TextTests {
  /// Texts that Unicode counts as the same, and others that are near to each other.
  private static let texts: [Text] = [
    "", "a", "\u{0}", "a\u{0}", "fifteen bytes !", "fifteen bytes ?", "sixteen bytes: !", "\u{e9}", "e\u{301}", "e",
    "K", "\u{212a}", "k", "\u{ac00}", "\u{1100}\u{1161}", "ab", "a\u{0}b", "a\r\nb",
    "a text that is longer than what fits beside its length: \u{e9}",
    "a text that is longer than what fits beside its length: e\u{301}", "\u{ffff}", "\u{10000}",
  ]

  @Test func comparesHashesAndOrdersByBytes() {
    #expect(Set(Self.texts).count == Self.texts.count)
    for a in Self.texts {
      for b in Self.texts {
        #expect((a == b) == Array(a.utf8).elementsEqual(Array(b.utf8)))
        #expect((a < b) == Array(a.utf8).lexicographicallyPrecedes(Array(b.utf8)))
      }
      // The same bytes in other memory.
      var roomy = Text()
      roomy.reserveCapacity(100)
      roomy.append(a)
      for copy in [Text(decoding: Array(a.utf8), as: UTF8.self), roomy] {
        #expect(copy == a && a == copy && copy.hashValue == a.hashValue && !(copy < a) && !(a < copy))
        for b in Self.texts { #expect((copy == b) == (a == b) && (copy < b) == (a < b) && (b < copy) == (b < a)) }
      }
    }
  }

  @Test func searchesBytes() {
    for a in Self.texts {
      for b in Self.texts {
        let joined = a + b
        #expect(joined.hasPrefix(a) && joined.hasSuffix(b) && joined.contains(a) && joined.contains(b))
        #expect(joined.dropping(prefix: a) == b && joined.dropping(suffix: b) == a)
        let (bytes, wanted) = (Array(a.utf8), Array(b.utf8))
        #expect(a.hasPrefix(b) == bytes.starts(with: wanted))
        let places = (0...max(0, bytes.count - wanted.count)).filter { bytes.dropFirst($0).starts(with: wanted) }
        #expect(a.contains(b) == !places.isEmpty)
        #expect((a.cut(at: b)?.before.utf8.count) == places.first)
      }
    }
    #expect(("e\u{301}" as Text).hasPrefix("e"))
    #expect(("a=b=c" as Text).cut(at: "=").map { [$0.before, $0.after] } == ["a", "b=c"])
  }

  @Test func prefixesEndBetweenCharacters() {
    let text: Text = "a\u{e9}\u{20ac}\u{1f600}b"
    let ends = [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11]
    for (limit, end) in ends.enumerated() {
      let prefix = text.utf8Prefix(limit)
      #expect(prefix.utf8.count == end && text.hasPrefix(prefix))
    }
    #expect(text.utf8Prefix(-1) == "" && text.utf8Prefix(.max) == text)
  }

  @Test func splitsAtBytes() {
    let colon = UInt8(ascii: ":")
    #expect(("a:\u{301}b::c" as Text).split(separator: colon) == ["a", "\u{301}b", "c"])
    #expect(("::" as Text).split(separator: colon, omittingEmptySubsequences: false) == ["", "", ""])
    #expect(("a:b:c" as Text).split(separator: colon, maxSplits: 1) == ["a", "b:c"])
    #expect(("a:\u{301}:" as Text).replacing(colon, with: "--") == "a--\u{301}--")
    #expect((" a\t\u{301} \r\n b " as Text).words == ["a", "\u{301}", "b"])
    #expect(("a\r\n\nb\r" as Text).lines == ["a", "b"])
    #expect(("\t a b\n" as Text).trimmed == "a b" && (" \n" as Text).trimmed == "")
  }
}
