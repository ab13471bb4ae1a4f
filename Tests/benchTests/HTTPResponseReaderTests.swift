import NIOCore
import SeededNumbers
import Testing

@testable import bench

@Suite("HTTP response reader")
struct HTTPResponseReaderTests {
  private static let fixed =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCONTENT-length:  11 \r\n\r\n{\"a\":\"b\\n\"}"
  private static let chunked =
    "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nConnection: Close\r\n\r\n"
    + "5\r\nhello\r\n0A;name=value\r\n, 1234567!\r\n0\r\nTrailer: x\r\n\r\n"
  private static let empty = "HTTP/1.1 204 No Content\r\n\r\n"
  private static let continued = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 0\n\n"

  /// Feeds a text in pieces of a size.
  private func read(_ text: String, size: Int) throws -> [HTTPResponseReader.Response] {
    var reader = HTTPResponseReader(keepsBody: true)
    var responses: [HTTPResponseReader.Response] = []
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: size) {
      var input = ByteBuffer(bytes: bytes[start..<min(bytes.count, start + size)])
      while let response = try reader.read(&input) { responses.append(response) }
    }
    return responses
  }

  @Test("A response is the same in whatever pieces it comes", arguments: [1, 2, 3, 7, 50, 10_000])
  func pieces(size: Int) throws {
    let responses = try read(Self.fixed + Self.chunked + Self.empty + Self.continued + Self.fixed, size: size)
    #expect(responses.map(\.status) == [200, 404, 204, 200, 200])
    #expect(responses.map(\.bodyLength) == [11, 15, 0, 0, 11])
    #expect(responses.map(\.closes) == [false, true, false, false, false])
    #expect(
      responses.map { $0.body.map { String(buffer: $0) } ?? "" } == [
        "{\"a\":\"b\\n\"}", "hello, 1234567!", "", "", "{\"a\":\"b\\n\"}",
      ])
  }

  @Test("A response without a length ends with the connection")
  func untilClose() throws {
    var reader = HTTPResponseReader(keepsBody: true)
    var input = ByteBuffer(string: "HTTP/1.0 200 OK\r\n\r\nall of it")
    #expect(try reader.read(&input) == nil)
    let response = try #require(try reader.end())
    #expect(response.closes)
    #expect(response.body.map { String(buffer: $0) } == "all of it")
  }

  @Test("A body that nobody wants is only counted")
  func counting() throws {
    var reader = HTTPResponseReader()
    var input = ByteBuffer(string: Self.fixed)
    let response = try #require(try reader.read(&input))
    #expect(response.bodyLength == 11)
    #expect(response.body == nil)
  }

  @Test("A response that is cut off anywhere is not taken for whole")
  func truncated() throws {
    for text in [Self.fixed, Self.chunked] {
      for count in 1..<text.utf8.count {
        var reader = HTTPResponseReader()
        var input = ByteBuffer(bytes: Array(text.utf8.prefix(count)))
        #expect(try reader.read(&input) == nil)
        #expect(throws: HTTPResponseReader.Malformed.self) { _ = try reader.end() }
      }
    }
  }

  @Test("A connection that ends between responses is no error")
  func endBetween() throws {
    var reader = HTTPResponseReader()
    #expect(try reader.end() == nil)
  }

  @Test(
    "What is no response is refused",
    arguments: [
      "HELLO\r\n\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 +20 OK\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ])
  func malformed(text: String) {
    #expect(throws: HTTPResponseReader.Malformed.self) { _ = try read(text, size: text.utf8.count) }
  }

  @Test("A line without an end does not fill the memory")
  func endless() {
    #expect(throws: HTTPResponseReader.Malformed.self) {
      _ = try read("HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 70_000), size: 1000)
    }
  }

  @Test("Random bytes are read or refused, and never read past their end")
  func random() {
    var generator = SeededRandom(7)
    let alphabet = Array("HTTP/1. 20\r\n:;abcdefContent-LengthTransfer-Encodingchunked".utf8)
    for _ in 0..<5000 {
      var bytes = Array((Bool.random(using: &generator) ? Self.chunked : Self.fixed).utf8)
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        bytes[place] = alphabet.randomElement(using: &generator) ?? 0
      }
      var reader = HTTPResponseReader(keepsBody: true)
      var input = ByteBuffer(bytes: bytes)
      let response = try? reader.read(&input)
      if let response { #expect(response.bodyLength <= bytes.count) }
    }
  }
}
