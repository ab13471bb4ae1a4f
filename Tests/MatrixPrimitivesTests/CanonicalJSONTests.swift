import MatrixPrimitives
import SeededNumbers
import Testing

@Suite struct CanonicalJSONTests {
  private func canonical(_ text: Text, strict: Bool = true) throws -> Text {
    Text(decoding: try CanonicalJSON.encode(try JSONValue.parse(text), strict: strict), as: UTF8.self)
  }

  /// The examples of the specification's appendix.
  @Test(arguments: [
    ("{}", "{}"),
    ("{\n    \"one\": 1,\n    \"two\": \"Two\"\n}", #"{"one":1,"two":"Two"}"#),
    (#"{"b": "2", "a": "1"}"#, #"{"a":"1","b":"2"}"#),
    (#"{"b":"2","a":"1"}"#, #"{"a":"1","b":"2"}"#),
    (
      """
      {"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe", "three_pids": [
      {"medium": "email", "address": "john.doe@example.org"}, {"medium": "msisdn", "address": "123456789"}]}}}
      """,
      #"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":"#
        + #"[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#
    ),
    (#"{"a": "日本語"}"#, #"{"a":"日本語"}"#),
    (#"{"本": 2, "日": 1}"#, #"{"日":1,"本":2}"#),
    (#"{"a": "\u65E5"}"#, #"{"a":"日"}"#),
    (#"{"a": null}"#, #"{"a":null}"#),
    (#"{"a": -0, "b": 1e10}"#, #"{"a":0,"b":10000000000}"#),
  ])
  func encodesTheExamplesOfTheAppendix(_ source: Text, _ expected: Text) throws {
    #expect(try canonical(source) == expected)
    let tree = try JSON.parse(source)
    #expect(Text(decoding: try CanonicalJSON.encode(tree), as: UTF8.self) == expected)
  }

  @Test func usesTheShortestEscapes() throws {
    #expect(
      try canonical(#"["\u0000\u0008\u0009\u000a\u000b\u000c\u000d\u001F\u0022\u005c\/\u007f\u00e9\ud83d\ude00"]"#)
        == #"["\u0000\b\t\n\u000b\f\r\u001f\"\\/"# + "\u{7F}é😀\"]")
  }

  @Test func sortsByCodePointWhateverTheEscapes() throws {
    // U+FFFF comes before U+1F600 as code points, though not as UTF-16.
    #expect(
      try canonical("{\"\\ud83d\\ude00\":1,\"\u{FFFF}\":2,\"b\":3,\"\\u0061\":4}")
        == "{\"a\":4,\"b\":3,\"\u{FFFF}\":2,\"😀\":1}")
    #expect(try canonical(#"{"a":1,"":2,"aa":3,"B":4}"#) == #"{"":2,"B":4,"a":1,"aa":3}"#)
  }

  @Test func leavesOutTopLevelKeysOnly() throws {
    let value = try JSONValue.parse(#"{"unsigned":1,"a":{"unsigned":2},"signatures":{}}"#)
    let bytes = try CanonicalJSON.encode(value, omitting: ["unsigned", "signatures"])
    #expect(Text(decoding: bytes, as: UTF8.self) == #"{"a":{"unsigned":2}}"#)
  }

  @Test(arguments: [#"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"[{"b":0,"a":1,"b":2}]"#])
  func refusesRepeatedKeys(_ text: Text) {
    #expect { try canonical(text) } throws: { ($0 as? JSONError)?.code == .duplicateKey }
  }

  @Test func boundsIntegersWhenStrict() throws {
    #expect(try canonical("[9007199254740991,-9007199254740991]") == "[9007199254740991,-9007199254740991]")
    for text in ["9007199254740992", "-9007199254740992", "9223372036854775807", "123456789012345678901", "1e16"] {
      #expect { try canonical("[\(text)]") } throws: { ($0 as? JSONError)?.code == .numberOutOfRange }
    }
    for text in ["1.5", "-0.1", "1e-3"] {
      #expect { try canonical("[\(text)]") } throws: { ($0 as? JSONError)?.code == .notAnInteger }
    }
    #expect(throws: JSONError.self) { try CanonicalJSON.encode([.double(.infinity)] as JSON) }
    #expect(throws: JSONError.self) { try CanonicalJSON.encode([.integer(.min)] as JSON) }
  }

  /// What Python's `json.dumps` prints, on which the ids of old rooms rest.
  @Test(arguments: [
    ("1.0", "1.0"), ("1.50", "1.5"), ("1e5", "100000.0"), ("1E-7", "1e-07"), ("0.0001", "0.0001"), ("0.00001", "1e-05"),
    ("1e15", "1000000000000000.0"), ("1e16", "1e+16"), ("12345678901234567.0", "1.2345678901234568e+16"),
    ("1e17", "1e+17"),
    ("-1.25e300", "-1.25e+300"), ("-0.0", "-0.0"), ("-0", "0"), ("123456789012345678901", "123456789012345678901"),
    ("9007199254740993", "9007199254740993"), ("5.114698E4", "51146.98"), ("1e22", "1e+22"),
    ("-12000000000000000.0", "-1.2e+16"),
  ])
  func printsNumbersOfOldRoomsAsPythonDoes(_ source: Text, _ expected: Text) throws {
    #expect(try canonical("[\(source)]", strict: false) == "[\(expected)]")
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func encodesTapeAndTreeAlikeAndReadsItsOwnOutput(seed: UInt64) throws {
    var random = SeededRandom(seed)
    for _ in 0..<300 {
      let tree = RandomJSON.value(&random)
      let bytes = try CanonicalJSON.encode(tree)
      #expect(try CanonicalJSON.encode(try JSONValue.parse(tree.encoded)) == bytes)
      #expect(try CanonicalJSON.encode(try JSONValue.parse(bytes)) == bytes)
      #expect(try JSON.parse(bytes) == tree)
    }
  }
}
