import EndpointKit
import MatrixPrimitives
import Testing

/// What holds of every endpoint, by the metadata of each: who is admitted, where it answers, and that nothing a client sends is the server's fault.
@Suite struct EveryEndpointTests {
  private static let values: [Text: Text] = [
    "roomID": "%21room%3Atest", "room": "%21room%3Atest", "userID": "%40alice%3Atest", "eventID": "%24event",
    "roomAlias": "%23alias%3Atest", "txnID": "t1", "eventType": "m.room.message", "stateKey": "", "type": "org.example",
    "tag": "u.tag", "field": "displayname", "deviceID": "DEVICE", "filterID": "1", "receiptType": "m.read",
    "relType": "m.thread",
  ]

  /// Returns a path of a pattern, with something fitting in each place.
  private static func path(_ pattern: PathPattern) -> Text {
    pattern.segments.map { segment -> Text in
      switch segment {
      case .literal(let text): "/\(text)"
      case .parameter(let name): "/\(values[name] ?? "x")"
      case .rest: "/global/override/.m.rule.master"
      }
    }.joined()
  }

  @Test func `answers under every documented path, and under no method that is not documented`() async throws {
    try await TestServer.run(TestServer.experiments) { server in
      var methods: [Text: Set<Text>] = [:]
      for endpoint in server.endpoints {
        for path in endpoint.paths.map(Self.path) {
          let found = server.endpoint(endpoint.method.rawValue, path)
          #expect(found?.name == endpoint.name, "\(endpoint.method.rawValue) \(path)")
          methods[path, default: []].insert(endpoint.method.rawValue)
        }
      }
      for (path, known) in methods {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "BREW"] as [Text] where !known.contains(method) {
          let answer = try await server.call(method, path)
          #expect(answer.status == 405 && answer.errcode == "M_UNRECOGNIZED", "\(method) \(path)")
        }
        let preflight = try await server.call("OPTIONS", path)
        #expect(preflight.status == 204 && preflight.headers[.accessControlAllowOrigin] == "*", "OPTIONS \(path)")
      }
    }
  }

  @Test func `admits nobody without a token, no guest and no ordinary user where the endpoint is not for them`()
    async throws
  {
    try await TestServer.run(TestServer.experiments) { server in
      let (alice, guest) = (try await server.register(), try await server.guest())
      let stranger = TestServer.Account(id: "", device: "", token: "unknown", password: "")
      for endpoint in server.endpoints {
        let (method, path) = (endpoint.method.rawValue, Self.path(try #require(endpoint.paths.first)))
        let none = try await server.call(method, path, "{}")
        let unknown = try await server.call(method, path, "{}", as: stranger)
        switch endpoint.access {
        case .anyone: #expect(none.errcode != "M_MISSING_TOKEN", "\(endpoint.name)")
        case .anyoneKnown:
          #expect(none.errcode != "M_MISSING_TOKEN" && unknown.errcode == "M_UNKNOWN_TOKEN", "\(endpoint.name)")
        case .user, .userOrGuest, .administrator, .applicationService:
          #expect(none.status == 401 && none.errcode == "M_MISSING_TOKEN", "\(endpoint.name)")
          #expect(unknown.status == 401 && unknown.errcode == "M_UNKNOWN_TOKEN", "\(endpoint.name)")
        case .server, .process: #expect(none.status == 401, "\(endpoint.name)")
        }
        if [.user, .administrator, .applicationService].contains(endpoint.access) {
          let refused = try await server.call(method, path, "{}", as: guest)
          #expect(refused.status == 403 && refused.errcode == "M_GUEST_ACCESS_FORBIDDEN", "\(endpoint.name)")
        }
        if [.administrator, .applicationService].contains(endpoint.access) {
          let refused = try await server.call(method, path, "{}", as: alice)
          #expect(refused.status == 403 && refused.errcode == "M_FORBIDDEN", "\(endpoint.name)")
        }
      }
    }
  }

  @Test(
    arguments: [
      "", "{", "[]", "null", "7", "\"text\"", "{}", #"{"a":1e999}"#, "{\"\u{0}\":0}", #"{"auth":7}"#,
      #"{"auth":{"type":[]}}"#,
      #"{"user_id":7,"membership":7,"msgtype":7,"body":{},"typing":7,"timeout":"x","presence":[],"messages":[],"limit":-1}"#,
      #"{"room_id":{},"visibility":[],"devices":[1],"displayname":{"a":[]},"filter":7,"reason":{},"servers":[7]}"#,
    ] as [Text])
  func `takes any body for the client's fault, never for its own`(body: Text) async throws {
    try await TestServer.run(TestServer.experiments) { server in
      for endpoint in server.endpoints where endpoint.method != .get {
        // Each by somebody who has not been logged out or deactivated by the one before.
        let alice = try await server.register()
        for path in endpoint.paths.map(Self.path) {
          let answer = try await server.call(endpoint.method.rawValue, path, body, as: alice)
          #expect(answer.status < 500, "\(endpoint.name) \(path): \(Text(decoding: answer.bytes, as: UTF8.self))")
          if answer.status >= 400 { #expect(answer.errcode != nil || answer.json["flows"] != nil, "\(endpoint.name)") }
        }
      }
    }
  }

  @Test func `takes any path and query for the client's fault`() async throws {
    try await TestServer.run(TestServer.experiments) { server in
      let alice = try await server.register()
      let strange: [Text] = ["", "%00", "%FF", "%21", "%21%3A", "%40%3Atest", "%24", "a%2Fb", "%F0%9F%8D%B5", "."]
      for endpoint in server.endpoints where endpoint.name != "logout" && endpoint.name != "logout_all" {
        for value in strange {
          let path = endpoint.paths.first.map { pattern in
            pattern.segments.map { segment -> Text in
              if case .literal(let text) = segment { "/\(text)" } else { "/\(value)" }
            }.joined()
          }
          for query in ["", "?limit=-1&dir=x&from=%FF", "?limit=x&timeout=x&since=x&ts=x&filter=%7B"] as [Text] {
            let answer = try await server.call(endpoint.method.rawValue, try #require(path) + query, "{}", as: alice)
            #expect(answer.status < 500, "\(endpoint.name) \(path ?? "")\(query)")
          }
        }
      }
    }
  }

  @Test func `does what it is for, each of them`() async throws {
    try await TestServer.run(TestServer.experiments) { server in
      for endpoint in server.endpoints {
        guard let sample = EndpointSamples.all[endpoint.name] else {
          Issue.record("There is no sample of \(endpoint.name) in EndpointSamples")
          continue
        }
        let request = try await sample(server)
        let answer = try await server.call(
          endpoint.method.rawValue, request.target, request.body, as: request.caller, headers: request.headers)
        #expect(
          answer.status == request.status,
          "\(endpoint.name) \(request.target): \(Text(decoding: answer.bytes, as: UTF8.self))")
        #expect(server.endpoint(endpoint.method.rawValue, server.path(request.target))?.name == endpoint.name)
      }
      let names = Set(server.endpoints.map(\.name))
      #expect(EndpointSamples.all.keys.filter { !names.contains($0) } == [])
    }
  }
}

extension TestServer {
  /// Returns the path of a target as ``call(_:_:_:as:)`` takes it.
  func path(_ target: Text) -> Text { target.hasPrefix("/") ? target : "/_matrix/client/v3/" + target }
}
