import ByteText
import EndpointKit
import Foundation
import HTTPTypes
import MatrixPrimitives
import Synchronization
import TestSupport
import Testing
import WorkerRuntime

@testable import homeserver

/// The whole server as the executable composes it, on a database of its own, asked in memory.
struct TestServer: Sendable {
  let families: [EndpointFamily]
  private let router: Router
  private let counter = Counter()

  private final class Counter: Sendable {
    private let value = Mutex(0)

    func next() -> Int {
      value.withLock { value in
        value += 1
        return value
      }
    }
  }

  /// Starts a server, runs the body, stops the server.
  ///
  /// - Parameter settings: further lines of the configuration.
  static func run(
    _ settings: Text = "", _ body: @escaping @Sendable (TestServer) async throws -> Void
  ) async throws {
    let database = try await TestDatabase.withSchema()
    let unlimited = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../unlimited.yaml" as String)
    let document = """
      server_name: test
      public_baseurl: https://test/
      serve_client_wellknown: true
      signing_key: "ed25519 a_1 \(UnpaddedBase64.encode([UInt8](repeating: 7, count: 32)))"
      macaroon_secret_key: secret
      registration_shared_secret: shared
      enable_registration: true
      enable_registration_without_verification: true
      allow_guest_access: true
      max_event_delay_duration: 1h
      database: {name: psycopg2, args: {host: \(database.server.folder), dbname: \(database.name), user: postgres}}
      listeners: [{port: 1, type: http, resources: [{names: [client, federation, consent]}]}]
      \(try String(contentsOf: unlimited, encoding: .utf8))
      \(settings)
      """
    let runtime = try ProcessRuntime(role: .homeserver, configText: document.string)
    try await runtime.runInMemory { server in
      try await body(TestServer(families: server.families, router: server.router))
    }
  }

  /// Settings that switch on everything that is off otherwise.
  static let experiments: Text = """
    experimental_features:
      {msc3391_enabled: true, msc3814_enabled: true, msc4108_enabled: true, msc4143_enabled: true, msc4306_enabled: true,
        msc4388_mode: open}
    """

  /// The operations that clients may call.
  var endpoints: [Endpoint] { families.filter { $0.resource == "client" }.flatMap(\.endpoints) }

  /// An answer of the server.
  struct Answer {
    let status: Int
    let headers: HTTPFields
    let bytes: [UInt8]

    /// The body as JSON; null when it is none.
    var json: JSON { (try? JSON.parse(bytes)) ?? .null }
    var errcode: Text? { json["errcode"]?.string }
  }

  /// A user who has logged in.
  struct Account: Sendable {
    let id: Text
    let device: Text
    let token: Text
    let password: Text
  }

  /// Which endpoint a request would reach.
  func endpoint(_ method: Text, _ target: Text) -> Endpoint? {
    router.route(IncomingRequest(method: method, target: target, headers: [:], clientIP: "192.0.2.1")).endpoint
  }

  /// Sends a request.
  ///
  /// - Parameters:
  ///   - target: path and query; what does not begin with a slash is below `/_matrix/client/v3/`.
  ///   - body: JSON.
  ///   - account: whose token is sent.
  ///   - headers: further fields.
  func call(
    _ method: Text, _ target: Text, _ body: Text = "", as account: Account? = nil, headers: [Text: Text] = [:]
  ) async throws -> Answer {
    let target = target.hasPrefix("/") ? target : "/_matrix/client/v3/" + target
    var fields: HTTPFields = account.map { [.authorization: "Bearer \($0.token)"] } ?? [:]
    for (name, value) in headers { fields[try #require(HTTPField.Name(name.string))] = value.string }
    let incoming = IncomingRequest(
      method: method, target: target, headers: fields,
      clientIP: "192.0.2.1", body: BytesInHand(Array(body.utf8)))
    let response = try #require(await router.respond(to: incoming))
    return Answer(status: response.status, headers: response.headers, bytes: response.body.bytes ?? [])
  }

  /// Makes an account with a session; its name is a new one.
  func register(_ name: Text = "user") async throws -> Account {
    let (name, password): (Text, Text) = ("\(name)\(counter.next())", "correct horse \(name)")
    let answer = try await call(
      "POST", "register",
      #"{"username":"\#(name)","password":"\#(password)","auth":{"type":"m.login.dummy"}}"#)
    return try account(answer, password)
  }

  /// Makes a guest.
  func guest() async throws -> Account {
    try account(try await call("POST", "register?kind=guest", "{}"), "")
  }

  /// Makes an administrator, by the shared secret.
  func administrator() async throws -> Account {
    let sample = try await SharedSecretSample.make(self, isAdmin: true)
    return try account(try await call("POST", sample.target, sample.body), "password")
  }

  private func account(_ answer: Answer, _ password: Text) throws -> Account {
    try #require(answer.status == 200, "\(Text(decoding: answer.bytes, as: UTF8.self))")
    return Account(
      id: try #require(answer.json["user_id"]?.string), device: try #require(answer.json["device_id"]?.string),
      token: try #require(answer.json["access_token"]?.string), password: password)
  }

  /// Makes a public room.
  ///
  /// - Returns: its id, percent-encoded.
  func room(of account: Account, _ body: Text = #"{"preset":"public_chat"}"#) async throws -> Text {
    let answer = try await call("POST", "createRoom", body, as: account)
    return Self.escaped(try #require(answer.json["room_id"]?.string))
  }

  /// Sends a message.
  ///
  /// - Parameter room: percent-encoded.
  /// - Returns: the id of the event, percent-encoded.
  func message(in room: Text, as account: Account, _ body: Text = "hello") async throws -> Text {
    let answer = try await call(
      "PUT", "rooms/\(room)/send/m.room.message/m\(counter.next())", #"{"msgtype":"m.text","body":"\#(body)"}"#,
      as: account)
    return Self.escaped(try #require(answer.json["event_id"]?.string))
  }

  /// Returns a text that no other call returns.
  func unique(_ prefix: Text) -> Text { "\(prefix)\(counter.next())" }

  /// Percent-encodes a segment of a path.
  static func escaped(_ text: Text) -> Text {
    Text(text.string.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text.string)
  }
}
