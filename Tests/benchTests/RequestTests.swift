import NIOCore
import Testing

@testable import bench

@Suite("Requests")
struct RequestTests {
  @Test("A request has what the server needs and no more")
  func bytes() throws {
    let writer = RequestWriter(try Target(baseURL: "http://localhost:8008/"))
    #expect(
      String(buffer: writer.request("GET", "/a?b=c", token: "t"))
        == "GET /a?b=c HTTP/1.1\r\nHost: localhost:8008\r\nAuthorization: Bearer t\r\n\r\n")
    #expect(
      String(buffer: writer.request("PUT", "/a", body: "{\"é\":1}"))
        == "PUT /a HTTP/1.1\r\nHost: localhost:8008\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"é\":1}"
    )
  }

  @Test("An address may have a path, and no port")
  func address() throws {
    let target = try Target(baseURL: "https://example.org/behind/")
    #expect(target.isTLS)
    #expect(target.port == 443)
    #expect(target.authority == "example.org")
    #expect(String(buffer: RequestWriter(target).request("GET", "/x")).hasPrefix("GET /behind/x HTTP/1.1\r\n"))
  }

  @Test("What is no address is refused", arguments: ["", "localhost", "ftp://localhost", "http://", "http://a?b"])
  func refused(text: String) {
    #expect(throws: BenchError.self) { _ = try Target(baseURL: text) }
  }

  @Test("Rooms and filters are quoted in paths")
  func paths() {
    #expect(Path.send("!a b:c", transaction: "1") == "/_matrix/client/v3/rooms/%21a%20b%3Ac/send/m.room.message/1")
    #expect(!Path.filter(timeline: 5, lazy: true).contains("{"))
  }

  @Test("Texts are the same for the same seed")
  func words() {
    #expect(Words.text(seed: 5) == Words.text(seed: 5))
    #expect(Set((0..<100).map(Words.text)).count > 90)
  }
}
