import MatrixPrimitives
import Testing

@Suite struct JSONWriterTests {
  @Test func putsCommasWhereTheyBelong() throws {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("a", 1)
    writer.member("b", "x\"y")
    writer.memberIfPresent("absent", nil as Text?)
    writer.key("c" as Text)
    writer.beginArray()
    writer.value(true)
    writer.null()
    writer.value(-12 as Int64)
    writer.beginObject()
    writer.endObject()
    writer.value(try JSONValue.parse("[ 1 ]"))
    writer.endArray()
    writer.rawMembers(Array(#""d":4,"e":5"#.utf8))
    writer.rawMembers([])
    writer.member("f", 1.5)
    writer.member("id", UserID(unchecked: "@a:b"))
    writer.member("s", strings: ["x", "y"])
    writer.key("static" as StaticString)
    writer.value(["k": 1] as JSON)
    writer.endObject()
    #expect(
      Text(decoding: writer.bytes, as: UTF8.self)
        == #"{"a":1,"b":"x\"y","c":[true,null,-12,{},[ 1 ]],"d":4,"e":5,"f":1.5,"id":"@a:b","s":["x","y"],"static":{"k":1}}"#
    )
  }

  @Test func printsIntegersOfAllSizes() {
    for value in [0, 9, 10, -1, 99, 100, Int64.max, Int64.min, 1_234_567_890] as [Int64] {
      var writer = JSONWriter()
      writer.value(value)
      #expect(Text(decoding: writer.bytes, as: UTF8.self) == Text(value))
    }
  }

  @Test func writesNullForNumbersThatAreNone() {
    #expect(JSON.array([.double(.nan), .double(.infinity)]).encoded == Array("[null,null]".utf8))
  }

  @Test func copiesMembersAsSlices() throws {
    let value = try JSONValue.parse(#"{"a" : [1, 2],"b":"c"}"#)
    let slices = try #require(value.members).slices.map { Text(decoding: $0.raw, as: UTF8.self) }
    #expect(slices == [#""a" : [1, 2]"#, #""b":"c""#])
  }

  @Test func changesTreesByKey() {
    var json: JSON = ["a": 1, "b": [true, nil]]
    json["a"] = nil
    json["c"] = "x"
    #expect(json == ["b": [true, nil], "c": "x"])
    #expect(json["b"]?[0]?.bool == true)
    #expect(json["b"]?[9] == nil)
    var text: JSON = "x"
    text["a"] = 1
    #expect(text == "x")
  }
}
