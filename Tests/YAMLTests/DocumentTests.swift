import ByteText
import SeededNumbers
import Testing
import YAML

@Suite struct DocumentTests {
  @Test func marksEveryNodeWithLineAndColumn() throws {
    let node = try YAMLDocument.parse("a: 1\nb:\n  - x\n  - {c: d}\n", file: "f.yaml")
    #expect(node["a"]?.mark == YAMLMark(file: "f.yaml", line: 1, column: 4))
    #expect(node["b"]?.elements?[0].mark.description == "f.yaml:3:5")
    #expect(node["b"]?.elements?[1]["c"]?.mark.description == "f.yaml:4:9")
    #expect(node.mapping?.key("b")?.mark.description == "f.yaml:2:1")
  }

  @Test func lastOfTwoEqualKeysWins() throws {
    let node = try YAMLDocument.parse("a: 1\nb: 2\na: 3\n", file: "t")
    #expect(node["a"]?.integer == 3)
    #expect(node.mapping?.map { $0.key.string } == ["a", "b"])
  }

  @Test func keysOfOtherTypesAreNotText() throws {
    let node = try YAMLDocument.parse("on: 1\n12: 2\n\"12\": 3\n", file: "t")
    #expect(node["on"] == nil)
    #expect(node["12"]?.integer == 3)
    #expect(node.mapping?.count == 3)
  }

  @Test func mergesMappings() throws {
    let node = try YAMLDocument.parse(
      """
      base: &base {a: 1, b: 2}
      more: &more {b: 3, c: 4}
      one: {<<: *base, b: 9}
      two: {b: 8, <<: [*base, *more]}
      three: {"<<": plain}
      """, file: "t")
    #expect(node["one"]?["a"]?.integer == 1)
    #expect(node["one"]?["b"]?.integer == 9)
    #expect(node["two"]?["a"]?.integer == 1)
    #expect(node["two"]?["b"]?.integer == 8)
    #expect(node["two"]?["c"]?.integer == 4)
    #expect(node["three"]?["<<"]?.string == "plain")
    #expect(throws: YAMLError.self) { try YAMLDocument.parse("{<<: 1}", file: "t") }
  }

  @Test func refusesAliasesThatContainThemselves() {
    let error = #expect(throws: YAMLError.self) { try YAMLDocument.parse("a: &a [1, *a]", file: "t") }
    #expect(error?.code == .unknownAlias)
    #expect(error?.description.hasPrefix("t:1:11: ") == true)
  }

  @Test func refusesAliasBombs() {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<12 {
      let uses = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(uses)]\n"
    }
    #expect(throws: YAMLError.self) { try YAMLDocument.parse(text, file: "t") }
  }

  @Test func refusesDeepNesting() {
    let text = Text(repeating: "[", count: 5000) + Text(repeating: "]", count: 5000)
    let error = #expect(throws: YAMLError.self) { try YAMLDocument.parse(text, file: "t") }
    #expect(error?.code == .tooLarge)
  }

  @Test(arguments: [
    ("a: [1, 2\nb: 3", 2), ("a: b: c", 1), ("a:\n\t- x", 2), ("'abc", 1), ("a: *nowhere", 1), ("[a: {b: 1}]: c\n", 1),
  ])
  func errorsCarryALine(_ text: Text, _ line: Int) {
    let error = #expect(throws: YAMLError.self) { try YAMLDocument.parse(text, file: "bad.yaml") }
    #expect(error?.mark.line == line)
    #expect(error?.mark.file == "bad.yaml")
  }

  @Test func badBytesAreFoundByLine() {
    let error = #expect(throws: YAMLError.self) {
      try YAMLDocument.parse(Array("ab: 1\ncd: ".utf8) + [0xFF, 0x0A], file: "t")
    }
    #expect(error?.code == .syntax)
    #expect(error?.mark.line == 2)
  }

  @Test func refusesASecondDocument() {
    let error = #expect(throws: YAMLError.self) { try YAMLDocument.parse("a: 1\n---\nb: 2\n", file: "t") }
    #expect(error?.code == .severalDocuments)
  }

  @Test(arguments: ["", "# only a comment\n", "---\n"])
  func emptyTextIsNull(_ text: Text) throws {
    #expect(try YAMLDocument.parse(text, file: "t").isNull)
  }

  @Test func truncatedAndRandomInputNeverTraps() {
    let sample = Array(
      "a: &x {b: [1, 'two', 0x3], <<: {c: ~}}\nd: *x\ne: |\n  text\n  more\nf: !!str 1\n? [k]\n: v\n".utf8)
    var outcomes = 0
    for length in 0...sample.count {
      if (try? YAMLDocument.parse(Array(sample.prefix(length)), file: "t")) != nil { outcomes += 1 }
    }
    #expect(outcomes > 10 && outcomes <= sample.count)
    var generator = SeededRandom(0x5EED_CAFE)
    for _ in 0..<2000 {
      var bytes = sample
      for _ in 0..<4 {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      do throws(YAMLError) {
        _ = try YAMLDocument.parse(bytes, file: "t")
      } catch {
        #expect(error.mark.line >= 1 && error.mark.column >= 1)
      }
    }
  }
}
