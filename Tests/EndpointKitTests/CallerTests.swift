import HTTPTypes
import MatrixPrimitives
import Synchronization
import Testing

@testable import EndpointKit

/// Who is admitted to endpoints of each kind, and what their handlers get.
@Suite struct CallerTests {
  /// Tokens are the localparts of their users; `guest` is one, `admin` an administrator, `service` an application service.
  private var settings: Router.Settings {
    Router.Settings(
      authenticator: Router.Authenticator(
        find: { token, _ in
          guard token != "nobody" else { throw MatrixError.unknownToken() }
          return Requester(
            userID: UserID(localpart: token, serverName: "test"), isGuest: token == "guest",
            appserviceID: token == "service" ? "bridge" : nil)
        },
        isAdministrator: { $0.userID.localpart == "admin" },
        findServer: { request in
          guard request.body == Array("signed".utf8) else { throw MatrixError(.unauthorized, "Bad signature") }
          return "remote.test"
        }),
      replicationSecret: "hush")
  }

  private func call(_ endpoint: Endpoint, token: Text?, body: Text = "") async throws -> (status: Int, text: Text) {
    let incoming = IncomingRequest(
      method: endpoint.method.rawValue, target: "/x", headers: token.map { [.authorization: "Bearer \($0)"] } ?? [:],
      clientIP: "192.0.2.1", body: BytesInHand(Array(body.utf8)))
    let response = try #require(await Router([endpoint], settings: settings).respond(to: incoming))
    return (response.status, Text(decoding: response.bytes, as: UTF8.self))
  }

  private func greeting<C: AccountHolder>(_ caller: C.Type) -> Endpoint {
    .get("Greeting", "/x", as: C.self) { caller, _ in .text(caller.userID.rawValue) }
  }

  /// Returns the status for each token, in the order nobody's, none, user, guest, administrator, service.
  private func statuses(_ endpoint: Endpoint) async throws -> [Int] {
    var statuses: [Int] = []
    for token in ["nobody", nil, "alice", "guest", "admin", "service"] as [Text?] {
      statuses.append(try await call(endpoint, token: token).status)
    }
    return statuses
  }

  @Test func `admits only the kind of caller that an endpoint is for`() async throws {
    #expect(try await statuses(greeting(User.self)) == [401, 401, 200, 403, 200, 200])
    #expect(try await statuses(greeting(UserOrGuest.self)) == [401, 401, 200, 200, 200, 200])
    #expect(try await statuses(greeting(Administrator.self)) == [401, 401, 403, 403, 200, 403])
    #expect(try await statuses(greeting(ApplicationService.self)) == [401, 401, 403, 403, 403, 200])
    let anyone = Endpoint.get("Any", "/x", as: Anyone.self) { _, _ in .emptyObject }
    #expect(try await statuses(anyone) == [200, 200, 200, 200, 200, 200])
    let known = Endpoint.get("Known", "/x", as: AnyoneKnown.self) { caller, _ in
      .text(caller.requester?.userID.rawValue ?? "stranger")
    }
    #expect(try await statuses(known) == [401, 200, 200, 200, 200, 200])
    #expect(try await call(known, token: nil).text == "stranger")
    #expect(try await call(known, token: "alice").text == "@alice:test")
    let process = Endpoint.get("Process", "/x", as: ClusterProcess.self) { _, _ in .emptyObject }
    #expect(try await statuses(process) == [401, 401, 401, 401, 401, 401])
    #expect(try await call(process, token: "hush").status == 200)
  }

  @Test func `hands the handler who calls`() async throws {
    #expect(try await call(greeting(User.self), token: "alice").text == "@alice:test")
    let service = Endpoint.get("Service", "/x", as: ApplicationService.self) { caller, _ in .text(caller.id) }
    #expect(try await call(service, token: "service").text == "bridge")
  }

  @Test func `admits a server by the whole request, body included`() async throws {
    let endpoint = Endpoint.put("Transaction", "/x", as: RemoteServer.self) { caller, _ in .text(caller.name) }
    #expect(try await call(endpoint, token: nil, body: "signed").text == "remote.test")
    #expect(try await call(endpoint, token: nil, body: "forged").status == 401)
    #expect(try await call(endpoint, token: "admin").status == 401)
  }

  @Test func `lets only the user whose path it is act there`() async throws {
    let endpoint = Endpoint.get("Own", "/{userID}", as: User.self) { caller, request in
      .text(try request.owner(caller, else: "Not yours").rawValue)
    }
    for (target, status) in [("/@alice:test", 200), ("/%40alice%3Atest", 200), ("/@bob:test", 403), ("/nobody", 403)]
      as [(Text, Int)]
    {
      let incoming = IncomingRequest(
        method: "GET", target: target, headers: [.authorization: "Bearer alice"], clientIP: "192.0.2.1")
      let response = try #require(await Router([endpoint], settings: settings).respond(to: incoming))
      #expect(response.status == status)
    }
  }
}
