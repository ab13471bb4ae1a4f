import AsyncHTTPClient
import Crypto
import Foundation
import MatrixPrimitives
import NIOCore

/// The registration of a user over `/_synapse/admin/v1/register`, where a shared secret takes the place of a login.
struct RegistrationRequest {
  /// The outcome of a request.
  enum Outcome {
    case registered
    case alreadyExists
    case refused(String)
  }

  let server: String
  let secret: String
  let user: String
  let password: String
  let isAdmin: Bool
  let userType: String?

  func send(_ client: HTTPClient) async throws -> Outcome {
    let base = server.hasSuffix("/") ? String(server.dropLast()) : server
    let url = base + "/_synapse/admin/v1/register"
    let first = try await exchange(client, HTTPClientRequest(url: url))
    guard first.status == 200, let nonce = first.body?["nonce"]?.string else { return .refused(first.problem) }
    var request = HTTPClientRequest(url: url)
    request.method = .POST
    request.headers.add(name: "Content-Type", value: "application/json")
    request.body = .bytes(ByteBuffer(bytes: body(nonce: nonce.string).encoded))
    let second = try await exchange(client, request)
    if second.status == 200 { return .registered }
    let code = second.body?["errcode"]?.string
    return code == ErrorCode.userInUse.rawValue ? .alreadyExists : .refused(second.problem)
  }

  /// Makes the request's body. The code of authentication covers all its parts, separated by NUL bytes.
  func body(nonce: String) -> JSON {
    var parts = [nonce, user, password, isAdmin ? "admin" : "notadmin"]
    if let userType { parts.append(userType) }
    let message = Array(parts.joined(separator: "\0").utf8)
    let code = HMAC<Insecure.SHA1>.authenticationCode(for: message, using: SymmetricKey(data: Array(secret.utf8)))
    let hex = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return .object([
      "nonce": .string(Text(nonce)), "username": .string(Text(user)), "password": .string(Text(password)),
      "mac": .string(Text(hex)),
      "admin": .bool(isAdmin), "user_type": userType.map { .string(Text($0)) } ?? .null,
    ])
  }

  private struct Answer {
    let status: UInt
    let reason: String
    let body: JSON?

    var problem: String {
      let detail = (400..<500).contains(status) ? body?["error"]?.string : nil
      return detail.map { "The server answered \(status) \(reason): \($0)" }
        ?? "The server answered \(status) \(reason)"
    }
  }

  private func exchange(_ client: HTTPClient, _ request: HTTPClientRequest) async throws -> Answer {
    let response = try await client.execute(request, timeout: .seconds(60))
    let bytes = try await response.body.collect(upTo: 1 << 20)
    // An answer that is no JSON is reported by its status alone.
    let body = try? JSON.parse(Array(bytes.readableBytesView))
    return Answer(status: response.status.code, reason: response.status.reasonPhrase, body: body)
  }
}
