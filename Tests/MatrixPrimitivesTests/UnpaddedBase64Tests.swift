import MatrixPrimitives
import SeededNumbers
import Testing

@Suite struct UnpaddedBase64Tests {
  /// The examples of the specification's appendix.
  @Test(arguments: [
    ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
    ("foobar", "Zm9vYmFy"),
  ])
  func encodesAndDecodesTheExamplesOfTheAppendix(_ text: Text, _ encoded: Text) {
    #expect(UnpaddedBase64.encode(Array(text.utf8)) == encoded)
    #expect(UnpaddedBase64.decode(encoded) == Array(text.utf8))
    let padded = encoded + Text(repeating: "=", count: (4 - encoded.utf8.count % 4) % 4)
    #expect(UnpaddedBase64.decode(padded) == Array(text.utf8))
  }

  @Test func readsBothAlphabets() {
    let bytes: [UInt8] = [0xFB, 0xFF, 0xBF, 0x01]
    #expect(UnpaddedBase64.encode(bytes) == "+/+/AQ")
    #expect(UnpaddedBase64.encodeURLSafe(bytes) == "-_-_AQ")
    #expect(UnpaddedBase64.decode("+/+/AQ") == bytes)
    #expect(UnpaddedBase64.decode("-_-_AQ==") == bytes)
  }

  @Test(arguments: ["A", "AAAAA", "A=", "AA=", "AA===", "=", "AA=A", "A A", "AA\n", "é", "AAA==", "*"])
  func refusesWhatIsNoBase64(_ text: Text) {
    #expect(UnpaddedBase64.decode(text) == nil)
  }

  @Test func roundTripsRandomBytes() {
    var random = SeededRandom(1)
    for length in 0..<200 {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(UnpaddedBase64.decode(UnpaddedBase64.encode(bytes)) == bytes)
      #expect(UnpaddedBase64.decode(UnpaddedBase64.encodeURLSafe(bytes)) == bytes)
    }
  }
}
