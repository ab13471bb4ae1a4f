import Crypto
import FoundationEssentials
import MatrixPrimitives
import Testing

/// What clients are told about relays for calls.
@Suite struct TurnTests {
  private static let secret: Text =
    "turn_uris: ['turn:relay.test?transport=udp']\nturn_shared_secret: s3cret\nturn_user_lifetime: 1h\n"

  @Test func `makes credentials that the relay can check`() async throws {
    try await TestServer.run(Self.secret) { server in
      let alice = try await server.register()
      let answer = try await server.call("GET", "voip/turnServer", as: alice).json
      let name = try #require(answer["username"]?.string)
      var hmac = HMAC<Insecure.SHA1>(key: SymmetricKey(data: Array("s3cret".utf8)))
      hmac.update(data: Array(name.utf8))
      #expect(answer["password"]?.string == Text(Data(hmac.finalize()).base64EncodedString()))
      #expect(
        name.hasSuffix(":\(alice.id)") && answer["ttl"] == 3_600
          && answer["uris"]?[0] == "turn:relay.test?transport=udp")
    }
  }

  @Test func `gives guests nothing where the configuration says so, and nobody anything without relays`() async throws {
    try await TestServer.run(Self.secret + "turn_allow_guests: false") { server in
      let guest = try await server.guest()
      #expect(try await server.call("GET", "voip/turnServer", as: guest).status == 403)
    }
    try await TestServer.run("turn_uris: ['turn:relay.test']\nturn_username: u\nturn_password: p") { server in
      let answer = try await server.call("GET", "voip/turnServer", as: try await server.guest()).json
      #expect(answer["username"] == "u" && answer["password"] == "p")
    }
    try await TestServer.run { server in
      let alice = try await server.register()
      #expect(try await server.call("GET", "voip/turnServer", as: alice).json == [:])
    }
  }
}
