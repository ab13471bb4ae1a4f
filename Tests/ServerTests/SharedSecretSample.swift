import Crypto
import FoundationEssentials
import MatrixPrimitives
import Testing

/// A registration that is proved by the shared secret of ``TestServer``.
enum SharedSecretSample {
  /// Makes an administrator with a session.
  static func administrator(_ server: TestServer) async throws -> TestServer.Account {
    let sample = try await make(server, isAdmin: true)
    let answer = try await server.call("POST", sample.target, sample.body)
    return TestServer.Account(
      id: try #require(answer.json["user_id"]?.string), device: try #require(answer.json["device_id"]?.string),
      token: try #require(answer.json["access_token"]?.string), password: "password")
  }

  static func make(_ server: TestServer, isAdmin: Bool = false) async throws -> EndpointSamples.Sample {
    let path: Text = "/_synapse/admin/v1/register"
    let nonce = try #require(try await server.call("GET", path).json["nonce"]?.string)
    let name = server.unique("secret")
    var hmac = HMAC<Insecure.SHA1>(key: SymmetricKey(data: Data("shared".utf8)))
    hmac.update(data: Array("\(nonce)\0\(name)\0password\0\(isAdmin ? "admin" : "notadmin")".utf8))
    let mac = Text(hexadecimal: hmac.finalize())
    return EndpointSamples.Sample(
      target: path,
      body: #"{"nonce":"\#(nonce)","username":"\#(name)","password":"password","admin":\#(isAdmin),"mac":"\#(mac)"}"#)
  }
}
