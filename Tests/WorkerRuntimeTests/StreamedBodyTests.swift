import EndpointKit
import Foundation
import Synchronization
import Testing

@testable import WorkerRuntime

/// Bodies that are never whole in memory, in both directions.
@Suite(.timeLimit(.minutes(2))) struct StreamedBodyTests {
  /// The number of bytes on both sides of a connection.
  private final class Balance: Sendable {
    private let state = Mutex((made: 0, taken: 0, largestGap: 0))

    var largestGap: Int { state.withLock { $0.largestGap } }

    func make(_ count: Int) {
      state.withLock { state in
        state.made += count
        state.largestGap = max(state.largestGap, state.made - state.taken)
      }
    }

    func take(_ count: Int) { state.withLock { $0.taken += count } }
  }

  private static let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 65_536)

  @Test func `makes a streamed answer no faster than the client takes it`() async throws {
    let balance = Balance()
    let pieces = 2_048
    let endpoint = Endpoint.get("Large", "/large", as: Anyone.self) { _, _ in
      .stream(contentType: "text/plain", length: pieces * Self.piece.count) { writer in
        for _ in 0..<pieces {
          balance.make(Self.piece.count)
          try await writer.write(Self.piece)
        }
      }
    }
    try await ListenerHarness.run([endpoint]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      let taken = await connection.drain { balance.take($0) }
      #expect(taken > pieces * Self.piece.count)
    }
    // What sockets and buffers between the two hold is far less than the 128 MB of the whole.
    #expect(balance.largestGap < 16 << 20)
  }

  @Test func `sends a body of unknown length in chunks, and none in answer to HEAD`() async throws {
    let made = Atomic(0)
    let endpoint = Endpoint.get("Words", "/words", as: Anyone.self) { _, _ in
      .stream { writer in
        made.add(1, ordering: .relaxed)
        for word in ["[1", ",2", "]"] as [String] { try await writer.write(Array(word.utf8)) }
      }
    }
    try await ListenerHarness.run([endpoint]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send("HEAD /words HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(await connection.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
      connection.send("GET /words HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      let answer = await connection.readToEnd()
      #expect(answer.lowercased().contains("transfer-encoding: chunked"))
      #expect(answer.hasSuffix("2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n"))
    }
    #expect(made.load(ordering: .relaxed) == 1)
  }

  @Test func `ends the connection, not the body, when a streamed answer fails`() async throws {
    struct Failure: Error {}
    let endpoint = Endpoint.get("Broken", "/broken", as: Anyone.self) { _, _ in
      .stream { writer in
        try await writer.write(Array("half".utf8))
        throw Failure()
      }
    }
    try await ListenerHarness.run([endpoint]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(!(await connection.readToEnd()).hasSuffix("0\r\n\r\n"))
    }
  }

  @Test func `compresses a streamed answer piece by piece`() async throws {
    let endpoint = Endpoint.get("Large", "/large", as: Anyone.self) { _, _ in
      .stream(contentType: "text/plain", length: 16 * Self.piece.count) { writer in
        for _ in 0..<16 { try await writer.write(Self.piece) }
      }
    }
    try await ListenerHarness.run([endpoint], compressing: true) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send(
        "GET /large HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
      let taken = await connection.drain { _ in }
      #expect(taken > 100 && taken < 65_536)
    }
    let encoder = try #require(GzipEncoder())
    var writer: any BodyWriter = Collector()
    let body = GzipEncoder.compressing(
      BodyStream { writer in for _ in 0..<16 { try await writer.write(Self.piece) } }, with: encoder)
    try await ResponseBody.stream(body).write(to: &writer)
    let encoded = try #require(writer as? Collector).bytes
    let inflated = EncodingTests.inflate(encoded, capacity: 17 * Self.piece.count)
    // Compared beforehand: a megabyte of differences would be searched for minutes.
    let isWhole = inflated == [UInt8](repeating: UInt8(ascii: "a"), count: 16 * Self.piece.count)
    #expect(isWhole, "\(inflated.count) bytes")
  }

  private struct Collector: BodyWriter {
    var bytes: [UInt8] = []

    mutating func write(_ bytes: [UInt8]) { self.bytes += bytes }
  }

  // MARK: Requests

  private func counting(limit: Int) -> Endpoint {
    .put("Count", "/count", as: Anyone.self, body: .streamed(limit: limit)) { _, request in
      var (pieces, bytes) = (0, 0)
      while let piece = try await request.nextPiece() {
        pieces += 1
        bytes += piece.count
      }
      return .text("\(pieces > 1 ? "pieces" : "piece") \(bytes)")
    }
  }

  @Test func `hands the handler a request's body in pieces`() async throws {
    try await ListenerHarness.run([counting(limit: 1 << 24)]) { harness in
      let connection = try harness.connect()
      defer { connection.close() }
      connection.send("PUT /count HTTP/1.1\r\nHost: x\r\nContent-Length: \(64 * Self.piece.count)\r\n\r\n")
      await connection.send(Self.piece, times: 64)
      #expect(await connection.read(until: "\(64 * Self.piece.count)").contains("pieces \(64 * Self.piece.count)"))
      connection.send("PUT /count HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(await connection.read(until: "piece 0").hasPrefix("HTTP/1.1 200"))
    }
  }

  @Test func `refuses a streamed body that is or becomes too large`() async throws {
    try await ListenerHarness.run([counting(limit: 10)]) { harness in
      for request in [
        "Content-Length: 11\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n",
      ] {
        let connection = try harness.connect()
        defer { connection.close() }
        connection.send("PUT /count HTTP/1.1\r\nHost: x\r\n\(request)")
        #expect(await connection.read(until: "M_TOO_LARGE").hasPrefix("HTTP/1.1 413"))
      }
    }
  }

  @Test func `tells the handler when the client stops half way`() async throws {
    let (ended, end) = AsyncStream<Bool>.makeStream()
    let endpoint = Endpoint.put("Upload", "/upload", as: Anyone.self, body: .streamed(limit: 1_000)) { _, request in
      do {
        while try await request.nextPiece() != nil {}
        end.yield(true)
      } catch {
        // It stays so, however often the handler asks.
        await #expect(throws: CancellationError.self) { _ = try await request.nextPiece() }
        end.yield(false)
        throw error
      }
      return .emptyObject
    }
    try await ListenerHarness.run([endpoint]) { harness in
      let connection = try harness.connect()
      connection.send("PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
      connection.close()
      for await isWhole in ended {
        #expect(!isWhole)
        break
      }
    }
  }
}
