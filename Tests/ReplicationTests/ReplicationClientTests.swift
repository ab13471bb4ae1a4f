import Foundation
import Logging
import MatrixPrimitives
import Synchronization
import Testing

@testable import Replication

@Suite(.timeLimit(.minutes(1))) struct ReplicationClientTests {
  let waited = Diary()

  private func client(_ address: ReplicationAddress, timeoutMilliseconds: Int64 = 30_000) -> ReplicationClient {
    let positions = ReplicationPositions(
      own: { ["to_device": 7] },
      wait: { [waited] instance, positions in
        waited.note("\(instance) \(positions.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })")
      })
    let retry = ReplicationClient.RetryPolicy(
      timeout: .milliseconds(timeoutMilliseconds), afterTimeout: .milliseconds(1),
      afterConnectError: [.milliseconds(1), .milliseconds(1)])
    return ReplicationClient(
      instanceName: "me", instances: ["master": address, "me": address], secret: "s3cret", positions: positions,
      retry: retry, logger: Logger(label: "test"))
  }

  private func client(_ server: ReplicationHTTPServer, timeoutMilliseconds: Int64 = 30_000) -> ReplicationClient {
    client(.tcp(host: "127.0.0.1", port: server.port, tls: false), timeoutMilliseconds: timeoutMilliseconds)
  }

  @Test func callsCarryPositionsSecretAndEncodedArguments() async throws {
    let server = try await ReplicationHTTPServer.start { _, _ in
      .init(body: #"{"max_stream_id":9,"_INT_STREAM_POS":{"account_data":9,"caches":4}}"#)
    }
    let answer = try await client(server).call(
      SampleCall(user: "@a/b:hs", type: "m.é?#% x~-_.", number: 1), instance: "master")
    #expect(answer.streamID == 9)
    let call = try #require(server.calls.first)
    #expect(call.method == "POST")
    #expect(call.uri == "/_synapse/replication/sample_call/%40a%2Fb%3Ahs/m.%C3%A9%3F%23%25%20x~-_.")
    #expect(call.authorization == ["Bearer s3cret"])
    #expect(
      call.body == #"{"number":1,"_INT_STREAM_POS":{"streams":{"to_device":7},"instance_name":"me"}}"#)
    #expect(waited.take() == [#"master ["account_data=9", "caches=4"]"#])
    try await server.channel.close()
  }

  @Test func endpointsWithoutArgumentsEndInASlash() {
    #expect(
      ReplicationClient.path("added_delayed_event", [], cached: false) == "/_synapse/replication/added_delayed_event/")
    let cached = ReplicationClient.path("send_events", [], cached: true).split(separator: UInt8(ascii: "/"))
    #expect(cached.count == 4 && cached[3].utf8.count == 10)
  }

  @Test func unixSocketsAreReached() async throws {
    let path = "/tmp/myelin http-\(UUID().uuidString.prefix(8)).sock"
    let server = try await ReplicationHTTPServer.start(unixSocket: path) { _, _ in .init(body: #"{"ok":true}"#) }
    _ = try await client(.unix(path: path)).call(RepeatableCall(), instance: "master")
    #expect(server.calls.count == 1)
    try await server.channel.close()
  }

  @Test func matrixErrorsPassThrough() async throws {
    let server = try await ReplicationHTTPServer.start { _, _ in
      .init(status: .forbidden, body: #"{"errcode":"M_FORBIDDEN","error":"no","x":[1]}"#)
    }
    let error = await #expect(throws: MatrixError.self) {
      _ = try await client(server).call(RepeatableCall(), instance: "master")
    }
    #expect(error?.status == 403)
    #expect(error?.errcode == "M_FORBIDDEN")
    #expect(error?.message == "no")
    #expect(error?.extras["x"] == .array([.integer(1)]))
    #expect(server.calls.count == 1)
    try await server.channel.close()
  }

  @Test func aTimeoutIsRepeatedUnderTheSameTransaction() async throws {
    let server = try await ReplicationHTTPServer.start { number, _ in .init(isSilent: number < 3) }
    _ = try await client(server, timeoutMilliseconds: 50).call(RepeatableCall(), instance: "master")
    #expect(server.calls.count >= 3)
    #expect(Set(server.calls.map(\.uri)).count == 1)
    try await server.channel.close()
  }

  @Test func anUnreachableProcessIs502() async throws {
    let gone = try await ReplicationHTTPServer.start { _, _ in .init() }
    let port = gone.port
    try await gone.channel.close()
    let error = await #expect(throws: MatrixError.self) {
      _ = try await client(.tcp(host: "127.0.0.1", port: port, tls: false))
        .call(RepeatableCall(), instance: "master")
    }
    #expect(error?.status == 502)
  }

  @Test(arguments: ["me", "nobody"]) func onlyOtherKnownProcessesAreCalled(_ instance: Text) async {
    await #expect(throws: ReplicationError.self) {
      _ = try await client(.tcp(host: "127.0.0.1", port: 1, tls: false)).call(RepeatableCall(), instance: instance)
    }
  }

  @Test func missedRowsAreFetched() async throws {
    let server = try await ReplicationHTTPServer.start { _, _ in
      .init(body: #"{"updates":[[3,["!r:hs",["@a:hs"]]],[4,[5]],[4,["!s:hs",[]]]],"upto_token":4,"limited":true}"#)
    }
    let updates = try await client(server).streamUpdates(.typing, instance: "master", from: 2, to: 9)
    #expect(updates.rows.map(\.token) == [3, 4])
    #expect(updates.upTo == 4 && updates.isLimited)
    let call = try #require(server.calls.first)
    #expect(call.method == "GET")
    #expect(call.uri.hasPrefix("/_synapse/replication/get_repl_stream_updates/typing/"))
    #expect(call.uri.hasSuffix("?from_token=2&upto_token=9"))
    try await server.channel.close()
  }
}

@Suite struct ReplicationAnswerTests {
  @Test func positionsAreReadAndAdded() throws {
    let body = try JSONValue.parse(
      #"{"a":1,"_INT_STREAM_POS":{"streams":{"caches":3,"bad":"x"},"instance_name":"w1"}}"#)
    let envelope = try #require(try ReplicationRequestEnvelope.read(body))
    #expect(envelope.instanceName == "w1")
    #expect(envelope.positions == ["caches": 3])
    let none = try ReplicationRequestEnvelope.read(JSONValue.parse("{}"))
    #expect(none == nil)
    #expect(throws: MatrixError.self) {
      _ = try ReplicationRequestEnvelope.read(JSONValue.parse(#"{"_INT_STREAM_POS":[]}"#))
    }
    for (answer, sealed) in [
      ("{}", #"{"_INT_STREAM_POS":{"caches":3}}"#), (" { } ", #" {"_INT_STREAM_POS":{"caches":3} }"#),
      (#"{"a":{}}"#, #"{"_INT_STREAM_POS":{"caches":3},"a":{}}"#), ("[]", "[]"), ("", ""), ("{", "{"),
    ] {
      let bytes = ReplicationRequestEnvelope.seal(Array(answer.utf8), positions: ["caches": 3])
      #expect(Text(decoding: bytes, as: UTF8.self) == sealed)
    }
  }

  @Test func aCallIsCarriedOutOnce() async throws {
    let clock = ServerClock.test()
    let cache = ReplicationResponseCache(clock: clock)
    let runs = Diary()
    let gate = Gate()
    let compute: @Sendable () async throws -> [UInt8] = {
      runs.note("run")
      await gate.pass()
      return [1]
    }
    async let first = cache.response(endpoint: "send_events", transactionID: "x", compute: compute)
    async let second = cache.response(endpoint: "send_events", transactionID: "x", compute: compute)
    await gate.open()
    #expect(try await first == [1])
    #expect(try await second == [1])
    _ = try await cache.response(endpoint: "send_events", transactionID: "x", compute: compute)
    #expect(runs.take() == ["run"])
    _ = try await cache.response(endpoint: "fed_send_events", transactionID: "x", compute: compute)
    #expect(runs.take() == ["run"])
    clock.advance(milliseconds: -3_600_000)  // An administrator sets the clock back.
    clock.advance(milliseconds: 1_800_000)
    _ = try await cache.response(endpoint: "send_events", transactionID: "x", compute: compute)
    #expect(runs.take() == ["run"])
    #expect(cache.count == 1)
  }

  @Test func matrixErrorsAreKeptAndOthersNot() async throws {
    struct Broken: Error {}
    let cache = ReplicationResponseCache(clock: .test())
    let runs = Diary()
    for _ in 0..<2 {
      await #expect(throws: MatrixError.self) {
        _ = try await cache.response(endpoint: "a", transactionID: "x") {
          runs.note("matrix")
          throw MatrixError.forbidden("no")
        }
      }
      await #expect(throws: Broken.self) {
        _ = try await cache.response(endpoint: "b", transactionID: "x") {
          runs.note("other")
          throw Broken()
        }
      }
    }
    #expect(runs.take() == ["matrix", "other", "other"])
  }

  @Test func theOldestAnswersMakeRoom() async throws {
    let cache = ReplicationResponseCache(clock: .test(), byteLimit: 10_000)
    for number in 0..<100 {
      _ = try await cache.response(endpoint: "a", transactionID: "\(number)") { [UInt8](repeating: 0, count: 744) }
    }
    #expect(cache.count == 10)
  }
}
