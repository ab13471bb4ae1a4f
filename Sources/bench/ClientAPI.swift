import AsyncHTTPClient
import Crypto
import Foundation
import MatrixPrimitives
import NIOCore
import NIOHTTP1

/// The client-server API for what has to be there before a measurement. Load goes another way: see `LoadRound`.
struct ClientAPI: Sendable {
  private let target: Target
  private let client: HTTPClient

  init(_ target: Target, client: HTTPClient) {
    self.target = target
    self.client = client
  }

  /// Makes a request and reads the JSON of its answer.
  /// - Throws: `BenchError` for a status other than 200 to 299.
  @discardableResult
  func call(_ method: HTTPMethod, _ path: String, token: String? = nil, body: JSON? = nil) async throws -> JSONValue {
    var request = HTTPClientRequest(url: target.clientURL + path)
    request.method = method
    if target.unixSocket != nil { request.headers.replaceOrAdd(name: "Host", value: target.authority) }
    if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(ByteBuffer(bytes: body.encoded))
    }
    let response = try await client.execute(request, timeout: .seconds(120))
    let bytes = try await response.body.collect(upTo: 1 << 28)
    guard (200..<300).contains(response.status.code) else {
      let text = String(buffer: bytes).prefix(300)
      throw BenchError("\(method) \(path) was answered \(response.status.code): \(text)")
    }
    return try JSONValue.parse(Array(bytes.readableBytesView))
  }

  /// Registers a user; by the shared secret when there is one, otherwise without any proof.
  func register(_ name: String, password: String, sharedSecret: String?) async throws -> Account {
    let answer: JSONValue
    if let sharedSecret {
      let path = "/_synapse/admin/v1/register"
      let nonce = try await call(.GET, path).requireString("nonce").string
      let message = [nonce, name, password, "notadmin"].joined(separator: "\0")
      let key = SymmetricKey(data: Array(sharedSecret.utf8))
      let code = HMAC<Insecure.SHA1>.authenticationCode(for: Array(message.utf8), using: key)
      let hex = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      answer = try await call(
        .POST, path,
        body: [
          "nonce": .string(Text(nonce)), "username": .string(Text(name)), "password": .string(Text(password)),
          "mac": .string(Text(hex)),
          "admin": false,
        ])
    } else {
      answer = try await call(
        .POST, "/_matrix/client/v3/register",
        body: ["username": .string(Text(name)), "password": .string(Text(password)), "auth": ["type": "m.login.dummy"]])
    }
    return Account(
      id: try answer.requireString("user_id").string, token: try answer.requireString("access_token").string,
      password: password)
  }

  /// Creates a public room without a name in the directory.
  func createRoom(_ name: String, by creator: Account) async throws -> String {
    let body: JSON = ["preset": "public_chat", "name": .string(Text(name)), "room_version": "10"]
    return try await call(.POST, "/_matrix/client/v3/createRoom", token: creator.token, body: body)
      .requireString("room_id").string
  }

  func join(_ room: String, _ account: Account) async throws {
    try await call(.POST, Path.join(room), token: account.token, body: .object([:]))
  }

  func send(_ text: String, to room: String, transaction: String, by account: Account) async throws {
    try await call(
      .PUT, Path.send(room, transaction: transaction), token: account.token,
      body: ["msgtype": "m.text", "body": .string(Text(text))])
  }

  /// Returns the token behind everything that has happened so far.
  func now(_ account: Account) async throws -> String {
    let filter = Path.filter(timeline: 1, lazy: true)
    let path = "/_matrix/client/v3/sync?timeout=0&set_presence=offline&filter=\(filter)"
    return try await call(.GET, path, token: account.token).requireString("next_batch").string
  }
}
