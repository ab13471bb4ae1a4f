import HTTPTypes
import MatrixPrimitives
import Synchronization
import Testing

@testable import EndpointKit

@Suite struct RouterTests {
  private struct Failure: Error {}

  private func call(
    _ endpoints: [Endpoint], _ method: Text, _ target: Text, headers: HTTPFields = [:], body: [UInt8] = [],
    settings: Router.Settings = .init()
  ) async throws -> Response {
    let incoming = IncomingRequest(
      method: method, target: target, headers: headers, clientIP: "192.0.2.1", body: BytesInHand(body))
    return try #require(await Router(endpoints, settings: settings).respond(to: incoming))
  }

  private func errcode(_ response: Response) throws -> Text? {
    try JSONValue.parse(response.bytes)["errcode"]?.string
  }

  private func echoing<C: Caller>(_ caller: C.Type) -> Endpoint {
    .get("Echo", "/echo/{word}", as: C.self) { _, request in
      .text(try request.parameter("word") + (request.queryValue("tail") ?? ""))
    }
  }

  private func echo() -> Endpoint { echoing(Anyone.self) }

  private func text(_ response: Response) -> Text {
    Text(decoding: response.bytes, as: UTF8.self)
  }

  @Test func `divides the rest of a path before it is decoded`() async throws {
    let endpoint = Endpoint.get("Rest", "/rest/{path...}", as: Anyone.self) { _, request in
      .text(try request.segments("path").joined(separator: "|"))
    }
    #expect(text(try await call([endpoint], "GET", "/rest/a%2Fb/c%20d/")) == "a/b|c d|")
  }

  @Test func `hands decoded captures and query to the handler`() async throws {
    let response = try await call([echo()], "GET", "/echo/a%20b?tail=%21+x")
    #expect(response.status == 200)
    #expect(text(response) == "a b! x")
  }

  @Test func `answers HEAD through GET`() async throws {
    #expect(try await call([echo()], "HEAD", "/echo/a").status == 200)
  }

  @Test func `answers 404 and 405 with M_UNRECOGNIZED and CORS fields`() async throws {
    let missing = try await call([echo()], "GET", "/nowhere")
    #expect(missing.status == 404)
    #expect(try errcode(missing) == "M_UNRECOGNIZED")
    #expect(missing.headers[.accessControlAllowOrigin] == "*")
    for method in ["POST", "PATCH", "BREW"] {
      let wrong = try await call([echo()], method, "/echo/a")
      #expect(wrong.status == 405)
      #expect(try errcode(wrong) == "M_UNRECOGNIZED")
    }
  }

  @Test func `answers OPTIONS on any path with 204 and CORS fields`() async throws {
    let response = try await call([echo()], "OPTIONS", "/echo/a")
    #expect(response.status == 204)
    #expect(response.bytes.isEmpty)
    #expect(
      response.headers[.accessControlAllowHeaders]
        == "X-Requested-With, Content-Type, Authorization, Date, If-Match, If-None-Match")
    #expect(response.headers[.accessControlAllowMethods] == "GET, HEAD, POST, PUT, DELETE, OPTIONS")
  }

  @Test func `refuses captures and queries that do not decode`() async throws {
    for target in ["/echo/%FF", "/echo/%4", "/echo/a?tail=%FF"] {
      let response = try await call([echo()], "GET", target)
      #expect(response.status == 400)
      #expect(try errcode(response) == "M_INVALID_PARAM")
    }
  }

  @Test func `bounds the body by the endpoint's limit`() async throws {
    let endpoint = Endpoint.post("Small", "/small", as: Anyone.self, body: .collected(limit: 4)) { _, request in
      .text("\(request.body.count)")
    }
    #expect(text(try await call([endpoint], "POST", "/small", body: [1, 2, 3, 4])) == "4")
    let refused = try await call([endpoint], "POST", "/small", body: [1, 2, 3, 4, 5])
    #expect(refused.status == 413)
    #expect(try errcode(refused) == "M_TOO_LARGE")
  }

  @Test(
    arguments: [
      ("", 400, "M_NOT_JSON"), ("{", 400, "M_NOT_JSON"), ("[]", 400, "M_BAD_JSON"), ("3", 400, "M_BAD_JSON"),
      (#"{"a":1}"#, 200, nil),
    ] as [(Text, Int, Text?)])
  func `tells bad JSON from no JSON`(body: Text, status: Int, code: Text?) async throws {
    let endpoint = Endpoint.post("Object", "/object", as: Anyone.self) { _, request in
      .json(try request.jsonObject().json)
    }
    let response = try await call([endpoint], "POST", "/object", body: Array(body.utf8))
    #expect(response.status == status)
    #expect(try errcode(response) == code)
  }

  @Test func `takes an empty body for an empty object where asked`() async throws {
    let endpoint = Endpoint.post("Object", "/object", as: Anyone.self) { _, request in
      .json(try request.jsonObjectOrEmpty().json)
    }
    #expect(text(try await call([endpoint], "POST", "/object")) == "{}")
  }

  @Test(
    arguments: [
      (nil, "", "M_MISSING_TOKEN"), ("Basic abc", "", "M_MISSING_TOKEN"), ("Bearer a b", "", "M_MISSING_TOKEN"),
      ("Bearer abc", "?access_token=abc", "M_MISSING_TOKEN"), ("Bearer abc", "", "M_UNKNOWN_TOKEN"),
      (nil, "?access_token=abc", "M_UNKNOWN_TOKEN"),
    ] as [(Text?, Text, Text)])
  func `demands one access token`(header: Text?, query: Text, code: Text) async throws {
    var headers: HTTPFields = [:]
    headers[.authorization] = header?.string
    let response = try await call([echoing(User.self)], "GET", "/echo/a" + query, headers: headers)
    #expect(response.status == 401)
    #expect(try errcode(response) == code)
  }

  @Test func `lets callers without a token through where it is optional`() async throws {
    #expect(try await call([echoing(AnyoneKnown.self)], "GET", "/echo/a").status == 200)
    #expect(try await call([echoing(AnyoneKnown.self)], "GET", "/echo/a?access_token=x").status == 401)
  }

  @Test func `demands the replication secret only when one is configured`() async throws {
    let endpoints = [echoing(ClusterProcess.self)]
    var settings = Router.Settings()
    #expect(try await call(endpoints, "GET", "/echo/a", settings: settings).status == 200)
    settings.replicationSecret = "hush"
    #expect(try await call(endpoints, "GET", "/echo/a", settings: settings).status == 401)
    let wrong: HTTPFields = [.authorization: "Bearer hash"]
    #expect(try await call(endpoints, "GET", "/echo/a", headers: wrong, settings: settings).status == 401)
    let right: HTTPFields = [.authorization: "Bearer hush"]
    #expect(try await call(endpoints, "GET", "/echo/a", headers: right, settings: settings).status == 200)
  }

  @Test func `passes Matrix errors on with their waiting time`() async throws {
    let endpoint = Endpoint.get("Busy", "/busy", as: Anyone.self) { _, _ in
      throw MatrixError.limitExceeded(retryAfterMilliseconds: 1_500)
    }
    let response = try await call([endpoint], "GET", "/busy")
    #expect(response.status == 429)
    #expect(try JSONValue.parse(response.bytes)["retry_after_ms"]?.integer == 1_500)
    #expect(response.headers[.retryAfter] == "2")
  }

  @Test func `hides other errors behind 500 and a request id`() async throws {
    let endpoint = Endpoint.get("Broken", "/broken", as: Anyone.self) { _, _ in throw Failure() }
    let response = try await call([endpoint], "GET", "/broken")
    #expect(response.status == 500)
    #expect(try errcode(response) == "M_UNKNOWN")
    #expect(try JSONValue.parse(response.bytes)["request_id"]?.string == "GET-1")
    #expect(!text(response).contains("Failure"))
  }

  @Test func `blames the request for errors that are recognized as its fault`() async throws {
    let endpoint = Endpoint.get("Refused", "/refused", as: Anyone.self) { _, _ in throw Failure() }
    var settings = Router.Settings()
    settings.refusal = { $0 is Failure ? .invalidParam("no") : nil }
    let response = try await call([endpoint], "GET", "/refused", settings: settings)
    #expect(response.status == 400)
    #expect(try errcode(response) == "M_INVALID_PARAM")
  }

  @Test func `asks the handler only when the shortcut has no answer`() async throws {
    let endpoint = Endpoint.poll(
      "Short", "/short", as: Anyone.self,
      shortcut: Endpoint.Shortcut(
        covers: { $0.queryValue("covered") != nil },
        answer: { $0.queryValue("long") == nil ? .text("short") : nil }),
      to: { _, _, response in response.resolve(.success(.text("long"))) })
    #expect(text(try await call([endpoint], "GET", "/short?covered=1")) == "short")
    #expect(text(try await call([endpoint], "GET", "/short?covered=1&long=1")) == "long")
    #expect(text(try await call([endpoint], "GET", "/short")) == "long")
  }

  @Test func `stays silent when the work was cancelled`() async {
    let endpoint = Endpoint.get("Gone", "/gone", as: Anyone.self) { _, _ in throw CancellationError()
    }
    let incoming = IncomingRequest(method: "GET", target: "/gone", headers: [:], clientIP: "192.0.2.1")
    #expect(await Router([endpoint]).respond(to: incoming) == nil)
  }

  @Test func `cancels a read when the client hangs up, and lets a write go on`() async throws {
    let handler: Endpoint.CallHandler<Anyone> = { _, _ in
      try Task.checkCancellation()
      return .emptyObject
    }
    for (endpoint, expected) in [
      (Endpoint.get("Long", "/long", as: Anyone.self, to: handler), true),
      (.put("Long", "/long", as: Anyone.self, to: handler), false),
    ] {
      // The hang-up comes before the handler has run, or the call is repeated.
      var wasSilent = false
      for _ in 0..<1_000 where !wasSilent {
        let incoming = IncomingRequest(
          method: endpoint.method.rawValue, target: "/long", headers: [:], clientIP: "192.0.2.1",
          onDisconnect: { $0?() })
        wasSilent = await Router([endpoint]).respond(to: incoming) == nil
      }
      #expect(wasSilent == expected)
    }
  }

  private func deferring(_ begin: @escaping Endpoint.Deferral) -> Endpoint {
    .poll("Poll", "/poll", as: Anyone.self) { try await begin($1, $2) }
  }

  @Test func `answers with what a deferred response is resolved with first`() async throws {
    let later = deferring { _, response in
      Task {
        response.resolve(.success(.text("first")))
        response.resolve(.success(.text("second")))
      }
    }
    #expect(text(try await call([later], "GET", "/poll")) == "first")
    let refused = deferring { _, response in response.resolve(.failure(MatrixError.forbidden("no"))) }
    #expect(try await call([refused], "GET", "/poll").status == 403)
    let broken = deferring { _, _ in throw Failure() }
    #expect(try await call([broken], "GET", "/poll").status == 500)
  }

  @Test func `gives a deferred response up when the client hangs up, before, while and after it is begun`() async {
    for moment in 0..<3 {
      let hook = Mutex<(@Sendable () -> Void)?>(nil)
      let given = Mutex(0)
      let endpoint = deferring { _, response in
        let hangUp = { while hook.withLock({ $0 }) == nil { await Task.yield() } }
        if moment == 1 {
          await hangUp()
          hook.withLock { $0 }?()
          #expect(Task.isCancelled)
        }
        response.onCancel { given.withLock { $0 += 1 } }
        if moment == 2 {
          await hangUp()
          hook.withLock { $0 }?()
        }
      }
      let incoming = IncomingRequest(
        method: "GET", target: "/poll", headers: [:], clientIP: "192.0.2.1",
        onDisconnect: { action in
          if moment == 0 { action?() } else if let action { hook.withLock { $0 = action } }
        })
      #expect(await Router([endpoint]).respond(to: incoming) == nil)
      while given.withLock({ $0 }) == 0 { await Task.yield() }
      #expect(given.withLock { $0 } == 1)
    }
  }

  @Test func `cancels a handler at its deadline and answers 504`() async throws {
    let settings = Router.Settings()
    let endpoint = Endpoint.put("Slow", "/slow", as: Anyone.self, execution: .task(deadline: .seconds(5))) { _, _ in
      settings.deadlines.check(now: .now.advanced(by: .seconds(6)))
      try Task.checkCancellation()
      return .emptyObject
    }
    // The handler may start before its deadline is registered, so it is asked until it sees one.
    var status = 200
    for _ in 0..<1_000 where status == 200 {
      status = try await call([endpoint], "PUT", "/slow", settings: settings).status
    }
    #expect(status == 504)
  }

  @Test func `reports each request without its token`() async throws {
    let records = Mutex<[RequestRecord]>([])
    var settings = Router.Settings()
    settings.onFinish = { record in records.withLock { $0.append(record) } }
    _ = try await call([echo()], "GET", "/echo/a?tail=1&access_token=secret", settings: settings)
    let recorded = records.withLock { $0 }
    let record = try #require(recorded.first)
    #expect(record.endpoint == "Echo")
    #expect(record.target == "/echo/a?tail=1&access_token=<redacted>")
    #expect(record.status == 200)
    #expect(record.responseBytes == 2)
  }
}

extension Response {
  /// The body, which these tests never stream.
  var bytes: [UInt8] { body.bytes ?? [] }
}
