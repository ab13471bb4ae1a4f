import Testing

@testable import MatrixPrimitives

@Suite struct GlobPatternTests {
  /// Observed on Synapse's evaluator for `content.body`.
  @Test(arguments: [
    ("hello alice there", "alice", true), ("helloalice", "alice", false), ("hello ALICE!", "alice", true),
    ("foo", "f?o", true), ("a foobar b", "foo*", true), ("xfoobar", "foo*", false), ("foo", "*", true), ("", "*", true),
    ("", "", true), ("abc", "", true), ("snake_alice_x", "alice", false), ("é alice", "alice", true),
    ("éalice", "alice", false), ("@room", "@room", true), ("x@room", "@room", true), ("a@roomz", "@room", false),
    ("line1\nalice", "alice", true), ("[a]", "[a]", true), ("a", "[a]", false), ("ALİCE", "alİce", true),
    ("straße", "STRASSE", false), ("foo  bar", "foo*bar", true), ("foo\nbar", "foo*bar", false),
    ("-alice-", "alice", true),
    ("foo", "fo*o?", false), ("alice alice2", "alice?", true), ("1alice", "alice", false), ("xalicey", "*alice*", true),
    ("", "?", false),
  ])
  func findsWords(_ text: String, _ pattern: String, _ expected: Bool) {
    #expect(GlobPattern(pattern).matchesWords(of: FoldedText(text)) == expected)
  }

  @Test(arguments: [
    ("m.room.message", "m.room.message", true), ("m.room.messageX", "m.room.message", false),
    ("M.ROOM.message", "m.room.message", true), ("a\nb", "a*b", false), ("", "", true), ("x", "", false),
    ("abc", "a?c", true), ("", "*", true), ("abcabc", "*c", true), ("ΣΑΣ", "σας", true),
  ])
  func matchesWholeTexts(_ text: String, _ pattern: String, _ expected: Bool) {
    #expect(GlobPattern(pattern).matches(FoldedText(text)) == expected)
  }

  @Test func takesLiteralsLiterally() {
    #expect(GlobPattern(literal: "d*d").matchesWords(of: FoldedText("hi d*d")))
    #expect(!GlobPattern(literal: "d*d").matchesWords(of: FoldedText("hi dxd")))
  }

  @Test func staysQuickOnHostilePatterns() {
    let pattern = GlobPattern(String(repeating: "*a", count: 500) + "b")
    #expect(!pattern.matches(FoldedText(String(repeating: "a", count: 20_000))))
    #expect(!pattern.matchesWords(of: FoldedText(String(repeating: "a ", count: 10_000))))
  }

  @Test func matchesNothingWithPatternsThatAreTooLong() {
    let long = String(repeating: "a", count: GlobPattern.longest - 1)
    #expect(GlobPattern(long + "*").matchesWords(of: FoldedText("b " + long + " b")))
    #expect(!GlobPattern(long + "**").matchesWords(of: FoldedText("b " + long + " b")))
  }

  @Test func agreesWithTheDefinitionOnRandomPatterns() {
    var random = Lottery(state: 7)
    for _ in 0..<2_000 {
      // Lengths around 64 cross from one word of bits to the next.
      let prefix = String(repeating: "z", count: random.below(2) == 0 ? 0 : 58 + random.below(8))
      let pattern = prefix + String((0..<random.below(8)).map { _ in Array("a?*b \n")[random.below(6)] })
      let text = prefix + String((0..<random.below(10)).map { _ in Array("ab \n")[random.below(4)] })
      let (symbols, characters) = (Array(pattern), Array(text))
      let folded = FoldedText(text)
      #expect(GlobPattern(pattern).matches(folded) == Self.matches(symbols[...], characters[...]), "\(pattern) \(text)")
      let edges = (0...characters.count).filter(folded.isWordEdge)
      let expected = edges.contains { start in
        edges.contains { end in start <= end && Self.matches(symbols[...], characters[start..<end]) }
      }
      #expect(GlobPattern(pattern).matchesWords(of: folded) == expected, "\(pattern) \(text)")
    }
  }

  private static func matches(_ pattern: ArraySlice<Character>, _ text: ArraySlice<Character>) -> Bool {
    guard let symbol = pattern.first else { return text.isEmpty }
    if symbol == "*", matches(pattern.dropFirst(), text) { return true }
    guard let character = text.first else { return false }
    switch symbol {
    case "*": return character != "\n" && matches(pattern, text.dropFirst())
    case "?": return character != "\n" && matches(pattern.dropFirst(), text.dropFirst())
    default: return character == symbol && matches(pattern.dropFirst(), text.dropFirst())
    }
  }

  /// Draws the same numbers in each run.
  private struct Lottery {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
  }
}
