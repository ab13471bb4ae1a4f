import ByteText
import Postgres
import Testing

@Suite struct LikePatternTests {
  @Test(arguments: [
    ("m.room.*", "m.room.%"), ("*", "%"), ("a%b_c\\d", "a\\%b\\_c\\\\d"), ("%\u{301}", "\\%\u{301}"),
    ("*\u{301}", "%\u{301}"),
    ("_\u{301}*\u{301}", "\\_\u{301}%\u{301}"), ("", ""),
  ])
  func starsAreWildcardsAndTheRestIsQuoted(source: Text, pattern: Text) {
    #expect(Array(LikePattern(wildcards: source).text.utf8) == Array(pattern.utf8))
  }
}
