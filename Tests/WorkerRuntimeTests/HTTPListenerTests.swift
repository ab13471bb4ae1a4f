import ByteText
import EndpointKit
import Foundation
import ServiceLifecycle
import Synchronization
import Testing

@testable import WorkerRuntime

@Suite(.timeLimit(.minutes(2))) struct HTTPListenerTests {
  private func echo(limit: Int = 1 << 20) -> Endpoint {
    .post("Echo", "/echo", as: Anyone.self, body: .collected(limit: limit)) { _, request in
      Response(body: .bytes(request.body))
    }
  }

  private func hello() -> Endpoint {
    .get("Hello", "/hello", as: Anyone.self) { _, request in
      .text("hello \(request.clientIP)")
    }
  }

  @Test func `answers several requests on one connection`() async throws {
    try await ListenerHarness.run([echo(), hello()]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
      #expect(await connection.read(until: "abc").hasPrefix("HTTP/1.1 200"))
      connection.send("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(await connection.read(until: "}").hasPrefix("HTTP/1.1 404"))
      connection.send("GET /hello HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.1\r\n\r\n")
      #expect(await connection.read(until: "hello 203.0.113.9").contains("hello 203.0.113.9"))
    }
  }

  @Test func `sends no body in answer to HEAD, but its length`() async throws {
    try await ListenerHarness.run([hello()]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      let answer = await connection.readToEnd()
      #expect(answer.contains("Content-Length: 6\r\n"))
      #expect(answer.hasSuffix("\r\n\r\n"))
    }
  }

  @Test func `refuses a body that is declared too large before it is sent`() async throws {
    try await ListenerHarness.run([echo(limit: 10)]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
      let answer = await connection.read(until: "M_TOO_LARGE")
      #expect(answer.hasPrefix("HTTP/1.1 413"))
      #expect(answer.contains("Connection: close"))
    }
  }

  @Test func `refuses a chunked body as soon as it grows too large`() async throws {
    try await ListenerHarness.run([echo(limit: 10)]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send(
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n")
      #expect(await connection.read(until: "M_TOO_LARGE").hasPrefix("HTTP/1.1 413"))
    }
  }

  @Test func `asks for the body of a client that waits to be asked`() async throws {
    try await ListenerHarness.run([echo()]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
      #expect(await connection.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100"))
      connection.send("abc")
      #expect(await connection.read(until: "abc").hasPrefix("HTTP/1.1 200"))
    }
  }

  @Test(
    arguments: [
      "GARBAGE\r\n\r\n", "GET /hello HTTP/9.9\r\n\r\n", "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
      "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ])
  func `closes the connection on bytes that are no HTTP`(text: String) async throws {
    try await ListenerHarness.run([echo(), hello()]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send(text)
      let answer = await connection.readToEnd()
      #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400"))
    }
  }

  @Test func `runs no handler when the body ends early`() async throws {
    let ran = Atomic(false)
    let endpoint = Endpoint.post("Count", "/count", as: Anyone.self) { _, _ in
      ran.store(true, ordering: .relaxed)
      return .emptyObject
    }
    try await ListenerHarness.run([endpoint]) { harness in
      let connection = try harness.connect()
      connection.send("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
      connection.close()
    }
    let hasRun = ran.load(ordering: .relaxed)
    #expect(!hasRun)
  }

  @Test func `cancels a waiting read when the client hangs up`() async throws {
    let (started, start) = AsyncStream<Void>.makeStream()
    let (ended, end) = AsyncStream<Void>.makeStream()
    let endpoint = Endpoint.get("Wait", "/wait", as: Anyone.self, execution: .task(deadline: .seconds(3_600))) { _, _ in
      start.yield()
      defer { end.yield() }
      try await Task.sleep(for: .seconds(3_600))
      return .emptyObject
    }
    try await ListenerHarness.run([endpoint]) { harness in
      let connection = try harness.connect()
      connection.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
      for await _ in started { break }
      connection.close()
      for await _ in ended { break }
    }
  }

  @Test func `gives up what waits when everything is cancelled`() async throws {
    let (started, start) = AsyncStream<Void>.makeStream()
    let isGivenUp = Atomic(false)
    let endpoint = Endpoint.poll("Poll", "/poll", as: Anyone.self) { _, _, response in
      response.onCancel { isGivenUp.store(true, ordering: .relaxed) }
      start.yield()
    }
    try await ListenerHarness.run([endpoint], cancelling: true) { harness in
      let connection = try harness.connect()
      connection.send("GET /poll HTTP/1.1\r\nHost: x\r\n\r\n")
      for await _ in started { break }
    }
    let hasEnded = isGivenUp.load(ordering: .relaxed)
    #expect(hasEnded)
  }

  @Test func `lets a running request end before a graceful stop`() async throws {
    let (started, start) = AsyncStream<Void>.makeStream()
    let endpoint = Endpoint.get("Slow", "/slow", as: Anyone.self) { _, _ in
      start.yield()
      try await gracefulShutdown()
      return .text("done")
    }
    let reading = Mutex<Task<String, Never>?>(nil)
    try await ListenerHarness.run([endpoint]) { harness in
      let connection = try harness.connect()
      connection.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
      for await _ in started { break }
      let task = Task {
        defer { connection.close() }
        return await connection.readToEnd()
      }
      reading.withLock { $0 = task }
    }
    let task = reading.withLock { $0 }
    #expect(await task?.value.hasSuffix("done") == true)
  }

  @Test func `compresses where the listener says so and the client accepts it`() async throws {
    let endpoint = Endpoint.get("Long", "/long", as: Anyone.self) { _, _ in
      .text(Text(repeating: "a", count: 100_000))
    }
    for (compressing, accept, expected) in [(true, "gzip", true), (true, "identity", false), (false, "gzip", false)] {
      try await ListenerHarness.run([endpoint], compressing: compressing) { harness in
        let connection = try harness.connect()
        defer { connection.close() }
        connection.send("GET /long HTTP/1.1\r\nHost: x\r\nAccept-Encoding: \(accept)\r\nConnection: close\r\n\r\n")
        let answer = await connection.readToEnd()
        #expect(answer.contains("Content-Encoding: gzip") == expected)
        #expect((answer.utf8.count < 5_000) == expected)
      }
    }
  }
}
