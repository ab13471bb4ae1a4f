import MatrixPrimitives
import Testing

/// The words by which users are searched for.
@Suite struct SearchWordsTests {
  @Test(
    arguments: [
      ("", []), (" \t", []), ("Alice", ["alice"]), ("alice bob", ["alice", "bob"]),
      ("@alice:example.org", ["alice", "example.org"]),
      ("user-71", ["user-71"]), ("-71", ["-71"]), ("a.b_c-d", ["a.b_c-d"]), ("user-", ["user"]), ("a--b", ["a", "-b"]),
      ("o'neil", ["o'neil"]), ("Straße ÄÖ", ["straße", "äö"]), ("ﬁrst", ["first"]), ("①", ["1"]),
      ("a & b | !c", ["a", "b", "c"]),
      ("a\u{0}b", ["a", "b"]), ("é", ["é"]), ("e\u{301}", ["é"]),
    ] as [(Text, [Text])])
  func wordsAreBrokenAsPostgreSQLStoresThem(_ text: Text, _ words: [Text]) {
    #expect(SearchWords.split(text) == words)
  }

  @Test func onlySoManyWordsOfALongTextCount() {
    #expect(SearchWords.split(Text(repeating: "a ", count: 100_000)).count == SearchWords.most)
    #expect(
      SearchWords.split(Text(repeating: "x", count: 100_000)) == [Text(repeating: "x", count: SearchWords.longest)])
  }
}
