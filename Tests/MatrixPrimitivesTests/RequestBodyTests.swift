import MatrixPrimitives
import Testing

@Suite struct RequestBodyTests {
  private let body: JSONValue

  init() throws {
    body = try JSONValue.parse(#"{"s":"x","i":3,"b":false,"o":{"k":1},"a":[1],"n":null,"d":1.5}"#)
  }

  @Test func readsMembersOfTheRightType() throws {
    #expect(try body.requireString("s") == "x")
    #expect(try body.requireInteger("i") == 3)
    #expect(try body.requireBool("b") == false)
    #expect(try body.requireObject("o")["k"]?.integer == 1)
    #expect(try body.requireArray("a").count == 1)
    #expect(try body.optionalString("missing") == nil)
    #expect(try body.optionalString("n") == nil)
    #expect(try body.optionalInteger("i") == 3)
    #expect(try body.optionalBool("b") == false)
    #expect(try body.optionalObject("o") != nil)
    #expect(try body.optionalArray("missing") == nil)
  }

  @Test func tellsMissingMembersFromWrongOnes() throws {
    #expect { try body.requireString("missing") } throws: { ($0 as? MatrixError)?.errcode == "M_MISSING_PARAM" }
    #expect { try body.requireString("n") } throws: { ($0 as? MatrixError)?.errcode == "M_BAD_JSON" }
    #expect { try body.requireString("i") } throws: { ($0 as? MatrixError)?.errcode == "M_BAD_JSON" }
    #expect { try body.optionalInteger("d") } throws: { ($0 as? MatrixError)?.errcode == "M_BAD_JSON" }
    #expect { try body.requireObject("a") } throws: { ($0 as? MatrixError)?.errcode == "M_BAD_JSON" }
    let array = try JSONValue.parse("[]")
    #expect { try array.optionalString("s") } throws: { ($0 as? MatrixError)?.errcode == "M_BAD_JSON" }
  }

  @Test func writesErrorsAsBodies() {
    var writer = JSONWriter()
    MatrixError.limitExceeded(retryAfterMilliseconds: 50).write(to: &writer)
    #expect(
      Text(decoding: writer.bytes, as: UTF8.self)
        == #"{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":50}"#)
    let error = MatrixError.unknownToken(softLogout: true)
    #expect(error.status == 401)
    #expect(error.extras["soft_logout"] == true)
  }
}
