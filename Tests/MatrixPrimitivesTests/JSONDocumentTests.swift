import MatrixPrimitives
import SeededNumbers
import Testing

@Suite struct JSONDocumentTests {
  @Test(arguments: [
    "{}", "[]", "null", "true", "false", "0", "-0", "1", "-1", "1.5", "1e5", "1E+5", "1e-5", "0.0", "\"\"", " [ ] ",
    "\t{\n}\r",
    "[1,2]", "{\"a\":1}", "{\"a\":{\"b\":[{}]}}", "\"\\u0000\"", "\"\\ud83d\\ude00\"", "\"\\/\"", "\"é\"",
    "9223372036854775807", "-9223372036854775808", "123456789012345678901234567890", "\"\u{7F}\"",
  ])
  func acceptsWhatTheGrammarAllows(_ text: Text) throws {
    let document = try JSONDocument.parse(Array(text.utf8))
    #expect(document.bytes == Array(text.utf8))
    let trimmed = text.unicodeScalars.drop { " \t\n\r".unicodeScalars.contains($0) }
    #expect(document.root.raw.first == trimmed.first.map { UInt8(truncatingIfNeeded: $0.value) })
  }

  @Test(arguments: [
    "", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}",
    "{\"a\" 1}",
    "01", "-", "-01", "+1", ".5", "1.", "1e", "1e+", "1.e5", "0x10", "NaN", "Infinity", "-Infinity", "tru", "True",
    "nul", "1 2",
    "[] []", "{}x", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u123g\"", "\"\n\"", "\"\u{1}\"", "'a'", "[1}",
    "{\"a\":1]",
    "\u{FEFF}{}", "{\"a\":1 \"b\":2}", "[1 2]", "\u{A0}1", "//\n1", "-a", "--1", "1-", "\u{0}", "[\u{0}]",
  ])
  func refusesWhatTheGrammarDoesNotAllow(_ text: Text) {
    #expect { try JSONValue.parse(text) } throws: { ($0 as? JSONError)?.code == .notJSON }
  }

  @Test(arguments: [
    "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800a\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"",
    "{\"\\udfff\":1}",
  ])
  func refusesHalfSurrogatePairs(_ text: Text) {
    #expect { try JSONValue.parse(text) } throws: { ($0 as? JSONError)?.code == .loneSurrogate }
  }

  @Test(
    arguments: [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82],
      [0xF0, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xFE],
    ] as [[UInt8]])
  func refusesMalformedUTF8(_ bytes: [UInt8]) {
    // Padding on both sides makes the fast path for sixteen bytes see it too.
    for padding in [0, 3, 15, 16, 17, 40] {
      let filler = [UInt8](repeating: 0x61, count: padding)
      let text = [0x22] + filler + bytes + filler + [0x22]
      #expect { try JSONValue.parse(text) } throws: { ($0 as? JSONError) == JSONError(.notUTF8, offset: padding + 1) }
    }
  }

  @Test func refusesNumbersBeyondDoubles() {
    #expect { try JSONValue.parse("1e999") } throws: { ($0 as? JSONError)?.code == .numberOutOfRange }
  }

  @Test func boundsTheDepth() throws {
    let deep = Text(repeating: "[", count: 100) + Text(repeating: "]", count: 100)
    #expect(try JSONValue.parse(deep).kind == .array)
    #expect { try JSONValue.parse("[" + deep + "]") } throws: { ($0 as? JSONError)?.code == .tooDeep }
    let unclosed = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
    #expect { try JSONValue.parse(unclosed) } throws: { ($0 as? JSONError)?.code == .tooDeep }
    #expect(try JSONDocument.parse(Array("[[1]]".utf8), maximumDepth: 2).root[0]?[0]?.integer == 1)
    #expect { try JSONDocument.parse(Array("[[1]]".utf8), maximumDepth: 1) } throws: { _ in true }
  }

  @Test func readsEveryKindOfValue() throws {
    let value = try JSONValue.parse(
      #"{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00日","i":-12,"d":2.5e1,"t":true,"f":false,"n":null,"a":[1,"x",{}],"o":{"k":"v"}}"#
    )
    #expect(value["s"]?.string == "a\"\\/\u{8}\u{C}\n\r\té😀日")
    #expect(value["i"]?.integer == -12)
    #expect(value["i"]?.double == -12)
    #expect(value["d"]?.double == 25)
    #expect(value["d"]?.integer == nil)
    #expect(value["t"]?.bool == true)
    #expect(value["f"]?.bool == false)
    #expect(value["n"]?.isNull == true)
    #expect(value["a"]?.elements?.count == 3)
    #expect(value["a"]?[1]?.string == "x")
    #expect(value["a"]?[3] == nil)
    #expect(value["a"]?[-1] == nil)
    #expect(value["o"]?["k"]?.string == "v")
    #expect(value["o"]?.members?.count == 1)
    #expect(value["missing"] == nil)
    #expect(value["a"]?["x"] == nil)
    #expect(value["a"]?.raw.elementsEqual(#"[1,"x",{}]"#.utf8) == true)
    #expect(value.members?.map(\.key) == ["s", "i", "d", "t", "f", "n", "a", "o"])
    #expect(try JSONValue.parse("123456789012345678901").kind == .double)
    #expect(try JSONValue.parse("-9223372036854775808").integer == Int64.min)
  }

  @Test func givesTheLastOfRepeatedKeysAndFindsEscapedOnes() throws {
    let value = try JSONValue.parse(#"{"a":1,"\u0061":2,"b":3}"#)
    #expect(value["a"]?.integer == 2)
    #expect(value.json["a"]?.integer == 2)
    #expect(value["\u{62}"]?.integer == 3)
  }

  @Test func tellsKeysApartByTheirBytes() throws {
    let value = try JSONValue.parse("{\"\u{E9}\":1,\"e\u{301}\":2}")
    #expect(value["\u{E9}"]?.integer == 1)
    #expect(value["e\u{301}"]?.integer == 2)
    #expect(try JSONValue.parse("\"\u{E9}\"").isString("e\u{301}") == false)
  }

  @Test func survivesTruncatedInput() throws {
    let text = Array(
      #"{"a":[1,2.5e-3,"x\u00e9\ud83d\ude00"],"b":{"c":null,"d":true},"long":"0123456789012345678901234567890123456789日本"}"#
        .utf8)
    for end in 0..<text.count {
      #expect(throws: JSONError.self) { try JSONValue.parse(Array(text[..<end])) }
    }
    #expect(try JSONValue.parse(text).members?.count == 3)
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func survivesRandomInputAndReadsItConsistently(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let alphabet = Array(#"{}[],:"\u0123456789eE+-. truefalsnd"#.utf8) + [0xC3, 0xA9, 0x00, 0x1F, 0xFF]
    for _ in 0..<4000 {
      let length = Int.random(in: 0...30, using: &random)
      let bytes = (0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 }
      guard let value = try? JSONValue.parse(bytes) else { continue }
      #expect(try JSON.parse(value.json.encoded) == value.json)
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func survivesBrokenDocuments(seed: UInt64) throws {
    var random = SeededRandom(seed &+ 100)
    for _ in 0..<500 {
      var bytes = RandomJSON.value(&random).encoded
      for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      guard let value = try? JSONValue.parse(bytes) else { continue }
      _ = try? CanonicalJSON.encode(value)
      _ = value.json
      _ = value["a"]?.string
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func writesAndReadsRandomTrees(seed: UInt64) throws {
    var random = SeededRandom(seed &+ 200)
    for _ in 0..<300 {
      let tree = RandomJSON.value(&random)
      #expect(try JSON.parse(tree.encoded) == tree)
    }
  }

  /// Nodes are packed differently from 64 KiB on.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func readsTheSameWhateverTheLength(seed: UInt64) throws {
    var random = SeededRandom(seed &+ 300)
    for _ in 0..<10 {
      let tree = RandomJSON.value(&random)
      let text = Array("{\"first\":".utf8) + tree.encoded + Array(",\"a\\u0062\":[[],{},\"last\"]}".utf8)
      let short = try JSONValue.parse(text)
      for length in [65_535, 65_536, 70_000] where length >= text.count {
        let spaces = [UInt8](repeating: UInt8(ascii: " "), count: length - text.count)
        for long in [spaces + text, text + spaces] {
          let value = try JSONValue.parse(long)
          #expect(value.json == short.json && value.raw == short.raw)
          #expect(value["first"]?.json == tree && value["ab"]?[2]?.string == "last")
          #expect(value["ab"]?[0]?.elements?.isEmpty == true && value["ab"]?[1]?.members?.isEmpty == true)
          #expect((try? CanonicalJSON.encode(value)) == (try? CanonicalJSON.encode(short)))
          #expect(value.containsNonIntegers() == short.containsNonIntegers())
        }
      }
    }
  }

  @Test func stopsAtEverySpecialByteOfLongStrings() throws {
    for length in 0...70 {
      for special in ["\\n", "\\\"", "\\\\"] {
        let text = Text(repeating: "x", count: length) + special + Text(repeating: "y", count: 70 - length)
        let value = try JSONValue.parse("[\"\(text)\"]")[0]
        #expect(value?.string?.utf8.count == 71)
      }
      for control in [UInt8(0), 0x1F, 0x0A] {
        var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 71)
        bytes[length] = control
        #expect(throws: JSONError.self) { try JSONValue.parse([0x22] + bytes + [0x22]) }
      }
    }
  }

  @Test(arguments: [
    ("1", false), ("0e00", true), ("[]", false), ("[1]", false), ("[[1, -0.0]]", true),
    ("[\"1.5\", {\"a\": 1e1}]", true),
    ("{\"a\": [1], \"b\": {\"c\": 2}}", false), ("{\"a\": [1.5]}", true), ("{\"unsigned\": {\"age\": 1.5}}", false),
    ("{\"unsigned\": 1.5, \"z\": 9223372036854775808}", true),
  ])
  func findsNumbersThatAreNoIntegers(_ text: Text, _ expected: Bool) throws {
    #expect(try JSONValue.parse(text).containsNonIntegers(outside: "unsigned") == expected)
  }
}
