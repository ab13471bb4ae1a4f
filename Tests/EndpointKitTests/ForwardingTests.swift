import HTTPTypes
import MatrixPrimitives
import Synchronization
import Testing

@testable import EndpointKit

/// Which requests a process passes on to another one.
@Suite struct ForwardingTests {
  private func router(_ asked: Mutex<[Text]>.Box) -> Router {
    let handler: Endpoint.CallHandler<User> = { _, _ in .text("here") }
    var settings = Router.Settings(
      authenticator: Router.Authenticator { token, _ in Requester(userID: UserID(localpart: token, serverName: "test"))
      })
    settings.forwarding = Router.Forwarding(
      instance: { place, _ in
        switch place {
        case .main: "master"
        case .writer(of: .typing): "typist"
        default: nil
        }
      },
      forward: { request, body, instance in
        asked.values.withLock { $0.append("\(instance) \(request.method) \(request.target) \(body.count)") }
        return .text("there")
      })
    return Router(
      [
        .get("Any", "/any", as: User.self, to: handler),
        .post("Main", "/main", as: User.self, on: .main, body: .collected(limit: 4), to: handler),
        .put("Typing", "/typing", as: User.self, on: .writer(of: .typing), to: handler),
        .put("Receipt", "/receipt", as: User.self, on: .writer(of: .receipts), to: handler),
      ], settings: settings)
  }

  private func call(
    _ router: Router, _ method: Text, _ target: Text, body: Text = "", isForwarded: Bool = false
  ) async throws -> (status: Int, text: Text) {
    let incoming = IncomingRequest(
      method: method, target: target, headers: [.authorization: "Bearer alice"], clientIP: "192.0.2.1",
      isForwarded: isForwarded, body: BytesInHand(Array(body.utf8)))
    let response = try #require(await router.respond(to: incoming))
    return (response.status, Text(decoding: response.bytes, as: UTF8.self))
  }

  @Test func `passes on what another process answers, with its body, and nothing else`() async throws {
    let asked = Mutex<[Text]>.Box([])
    let router = router(asked)
    #expect(try await call(router, "GET", "/any").text == "here")
    #expect(try await call(router, "PUT", "/receipt").text == "here")
    #expect(try await call(router, "POST", "/main?a=b%20c", body: "body").text == "there")
    #expect(try await call(router, "PUT", "/typing").text == "there")
    #expect(asked.values.withLock { $0 } == ["master POST /main?a=b%20c 4", "typist PUT /typing 0"])
  }

  @Test func `refuses a body that is too large before it is passed on`() async throws {
    let asked = Mutex<[Text]>.Box([])
    #expect(try await call(router(asked), "POST", "/main", body: "large").status == 413)
    #expect(asked.values.withLock { $0.isEmpty })
  }

  @Test func `passes nothing on a second time`() async throws {
    let asked = Mutex<[Text]>.Box([])
    #expect(try await call(router(asked), "PUT", "/typing", isForwarded: true).status == 500)
    #expect(asked.values.withLock { $0.isEmpty })
  }

  @Test(.timeLimit(.minutes(1))) func `gives up what is only read when the client hangs up`() async throws {
    var settings = Router.Settings()
    settings.forwarding = Router.Forwarding(
      instance: { _, _ in "master" },
      forward: { _, _, _ in
        try await Task.sleep(for: .seconds(3_600))
        return .text("there")
      })
    let router = Router(
      [.get("Read", "/read", as: Anyone.self, on: .main) { _, _ in .text("here") }], settings: settings)
    let incoming = IncomingRequest(
      method: "GET", target: "/read", headers: [:], clientIP: "192.0.2.1", onDisconnect: { $0?() })
    #expect(await router.respond(to: incoming) == nil)
  }
}

extension Mutex where Value: Sendable {
  /// A mutex that closures can share.
  final class Box: Sendable {
    let values: Mutex<Value>

    init(_ value: Value) { values = Mutex(value) }
  }
}
