import MatrixPrimitives
import Testing

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
    let pattern = GlobPattern(String(repeating: "*a", count: 50) + "b")
    #expect(!pattern.matches(FoldedText(String(repeating: "a", count: 2000))))
  }
}
