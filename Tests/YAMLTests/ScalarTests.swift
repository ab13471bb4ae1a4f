import ByteText
import Testing
import YAML

@Suite struct ScalarTests {
  @Test(arguments: [
    ("yes", true), ("No", false), ("on", true), ("OFF", false), ("true", true), ("False", false),
  ])
  func resolvesBooleansOfYAML11(_ text: Text, _ expected: Bool) throws {
    #expect(try YAMLDocument.parse(text, file: "t").bool == expected)
  }

  @Test(arguments: [
    ("0", 0), ("12", 12), ("-7", -7), ("+3", 3), ("1_000", 1000), ("0644", 420), ("0x1F", 31), ("0b101", 5),
    ("1:30", 90),
    ("0_", 0), ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("190:20:30", 685_230),
  ])
  func resolvesIntegers(_ text: Text, _ expected: Int64) throws {
    #expect(try YAMLDocument.parse(text, file: "t").integer == expected)
  }

  @Test(arguments: [
    ("0.5", 0.5), ("-1.5e+3", -1500), (".5", 0.5), ("1:30.25", 90.25), ("-0:51.", -51), ("1_0.2_5", 10.25), ("1.", 1),
    (".inf", .infinity),
    ("-.INF", -.infinity),
    ("99999999999999999999", 1e20),
  ])
  func resolvesFloats(_ text: Text, _ expected: Double) throws {
    let node = try YAMLDocument.parse(text, file: "t")
    #expect(node.double == expected)
    #expect(node.integer == nil)
  }

  @Test(arguments: [
    "y", "n", "1e3", "1.5e3", "0o17", "08", "0x", "0b2", "1:60", "+", ".", "2001-12-14", "12abc", "_1", "127.0.0.1",
    "::1",
    "50M", "nULL", ":1a", "+.nan", "-.5", "+.5e+1", "1:60.5", "0b", "-_1", "1__:x",
  ])
  func leavesOtherPlainTextAlone(_ text: Text) throws {
    #expect(try YAMLDocument.parse("b: \(text)", file: "t")["b"]?.string == text)
  }

  @Test(arguments: ["", "~", "null", "Null", "NULL"])
  func resolvesNull(_ text: Text) throws {
    #expect(try YAMLDocument.parse("a: \(text)", file: "t")["a"]?.isNull == true)
  }

  @Test func keepsQuotedAndTaggedTextAsText() throws {
    let node = try YAMLDocument.parse("[\"yes\", '12', !!str 12, ! 13, \"\"]", file: "t")
    #expect(node.elements?.map(\.string) == ["yes", "12", "12", "13", ""])
  }

  @Test func followsExplicitTags() throws {
    let node = try YAMLDocument.parse("[!!int \"12\", !!float 1, !!bool \"yes\", !!null x]", file: "t")
    #expect(node.elements?[0].integer == 12)
    #expect(node.elements?[1].double == 1)
    #expect(node.elements?[2].bool == true)
    #expect(node.elements?[3].isNull == true)
    #expect(throws: YAMLError.self) { try YAMLDocument.parse("!!int abc", file: "t") }
    #expect(throws: YAMLError.self) { try YAMLDocument.parse("!!python/object:os.system {}", file: "t") }
  }

  @Test func keepsTheTextOfNumbers() throws {
    #expect(try YAMLDocument.parse("00123", file: "t").text == "00123")
    #expect(try YAMLDocument.parse("00123", file: "t").integer == 83)
  }
}
