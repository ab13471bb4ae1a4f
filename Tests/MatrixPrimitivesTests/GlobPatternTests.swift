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
  func findsWords(_ text: Text, _ pattern: Text, _ expected: Bool) {
    #expect(GlobPattern(pattern).matchesWords(of: FoldedText(text)) == expected)
  }

  @Test(arguments: [
    ("m.room.message", "m.room.message", true), ("m.room.messageX", "m.room.message", false),
    ("M.ROOM.message", "m.room.message", true), ("a\nb", "a*b", false), ("", "", true), ("x", "", false),
    ("abc", "a?c", true), ("", "*", true), ("abcabc", "*c", true), ("ΣΑΣ", "σας", true),
  ])
  func matchesWholeTexts(_ text: Text, _ pattern: Text, _ expected: Bool) {
    #expect(GlobPattern(pattern).matches(FoldedText(text)) == expected)
  }

  @Test func takesLiteralsLiterally() {
    #expect(GlobPattern(literal: "d*d").matchesWords(of: FoldedText("hi d*d")))
    #expect(!GlobPattern(literal: "d*d").matchesWords(of: FoldedText("hi dxd")))
  }

  /// Looking a name up where words begin finds what a search of the whole text finds.
  @Test func anIndexOfWordsFindsTheSameNames() {
    let texts = [
      "", "a", "é alice", "x@room", "line1\nalice", "ALİCE", "ΣΑΣ σας", "d*d [a]", "_b_ 1c", "日本 語", "\u{10FFFF}?",
      "a a-a aa",
      Text(repeating: "ab ", count: 40),
    ]
    let names =
      texts + [
        "Alice", "alice", "@room", "ROOM", "[", "σ", "Σ", "語", "本", "İ", "1", "c", "_b_", "*", "d", "\n", "a-A", "ab",
        "AB AB", "b",
        Text(repeating: "ab ", count: 21) + "a", Text(repeating: "ab ", count: 21) + "ab",
        Text(repeating: "x", count: 100),
      ]
    var found = 0
    for text in texts.map({ FoldedText($0) }) {
      let words = WordIndex(text)
      for name in names {
        let expected = GlobPattern(literal: name).matchesWords(of: text)
        found += expected ? 1 : 0
        #expect(words.contains(name) == expected, "\(name) in \(text.scalars)")
      }
    }
    #expect(found > 40)
  }

  @Test func staysQuickOnHostilePatterns() {
    let pattern = GlobPattern(Text(repeating: "*a", count: 500) + "b")
    #expect(!pattern.matches(FoldedText(Text(repeating: "a", count: 20_000))))
    #expect(!pattern.matchesWords(of: FoldedText(Text(repeating: "a ", count: 10_000))))
  }

  /// What users may store as a pattern, with as many different characters, wildcards and repetitions as fit in.
  private static let hostilePatterns: [Text] = {
    let letters = (0..<GlobPattern.longest).compactMap { Unicode.Scalar(UInt32(0x4E00 + $0)).map(Character.init) }
    let half = letters.prefix(letters.count / 2)
    return [
      Text(String(letters.dropLast())) + "?", half.map { "?\($0)" as Text }.joined(),
      half.map { "*\($0)" as Text }.joined(),
      Text(String(half)) + Text(repeating: "?", count: letters.count / 2),
      Text(repeating: "*a", count: letters.count / 2),
      Text(repeating: "a", count: letters.count - 1) + "*", Text(repeating: "?", count: letters.count),
      // As many characters as can have a row of bits each, and as many as just cannot.
      (0..<65).map { Text(String(repeating: letters[$0], count: 63)) }.joined() + "*",
      (0..<62).map { Text(String(repeating: letters[$0], count: 66)) }.joined() + "*",
    ]
  }()

  @Test(arguments: hostilePatterns)
  func isNoLargerAndNoSlowerThanItsLength(_ text: Text) {
    let pattern = FoldedText(text).scalars
    let automaton = GlobAutomaton(pattern)
    #expect(automaton.size <= 3 * pattern.count + 512)
    for character in Set(pattern) { #expect(automaton.cost(of: character) <= 2 * (pattern.count / 64 + 1)) }
    var asked = (beginning: 0, ending: 0)
    let walked = automaton.matches(
      Array(repeating: "a", count: 1_000),
      beginning: { _ in
        asked.beginning += 1
        return true
      },
      ending: { _ in
        asked.ending += 1
        return false
      })
    #expect(!walked && asked.beginning == 1_001 && asked.ending <= 1_001)
  }

  @Test func walksLongLiteralsOnce() {
    for count in [1, 64, 65, 1_000, GlobPattern.longest] {
      let text = Text(repeating: "a ", count: count / 2) + Text(repeating: "b", count: count % 2)
      let (plain, quoted) = (GlobPattern(text), GlobPattern(literal: text))
      #expect(plain.walksOnce == (count > 64) && quoted.walksOnce == (count > 64))
      for pattern in [plain, quoted] {
        #expect(pattern.matchesWords(of: FoldedText("a b " + text)) && pattern.matches(FoldedText(text)))
        #expect(!pattern.matchesWords(of: FoldedText("x" + text.dropLast() + "y")))
      }
    }
    let quoted = GlobPattern(literal: Text(repeating: "*?", count: 50))
    #expect(quoted.walksOnce && !quoted.matchesWords(of: FoldedText(Text(repeating: "ab", count: 50))))
    #expect(quoted.matchesWords(of: FoldedText("x " + Text(repeating: "*?", count: 50))))
  }

  @Test func foldsAllCharactersAsTheirMappingsSay() {
    for value in UInt32(0x80)..<0x1_F000 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let expected = FoldedText.foldByMappings(scalar)
      if FoldedText.foldByProperties(scalar) != expected || FoldedText(Text(scalar)).scalars != [expected] {
        Issue.record("U+\(String(value, radix: 16))")
      }
    }
  }

  @Test func matchesNothingWithPatternsThatAreTooLong() {
    let long = Text(repeating: "a", count: GlobPattern.longest - 1)
    #expect(GlobPattern(long + "*").matchesWords(of: FoldedText("b " + long + " b")))
    #expect(!GlobPattern(long + "**").matchesWords(of: FoldedText("b " + long + " b")))
  }

  @Test func agreesWithTheDefinitionOnRandomPatterns() {
    var random = Lottery(state: 7)
    for _ in 0..<2_000 {
      // Lengths around 64 cross from one word of bits to the next.
      let prefix = Text(repeating: "z", count: random.below(2) == 0 ? 0 : 58 + random.below(8))
      let pattern =
        prefix + Text(String((0..<random.below(8)).map { _ in Array("a?*b \n" as String)[random.below(6)] }))
      let text = prefix + Text(String((0..<random.below(10)).map { _ in Array("ab \n" as String)[random.below(4)] }))
      let (symbols, characters) = (Array(pattern.string), Array(text.string))
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

  /// A lottery that draws the same numbers in each run.
  private struct Lottery {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
  }
}
