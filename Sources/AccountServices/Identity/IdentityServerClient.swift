import MatrixPrimitives
import Outbound

/// Requests to identity servers, which users name, and to the server that sends codes to telephones, which the administrator does.
final class IdentityServerClient: Sendable {
  private let client: OutboundClient

  init(_ client: OutboundClient) { self.client = client }

  /// Sends JSON and reads JSON.
  ///
  /// - Throws: `MatrixError` 400 when a server that a user named cannot be reached, 502 when the administrator's cannot; the error of
  ///   the server where it answers with one that is the client's fault.
  func post(
    _ url: Text, _ body: JSON, authorization: Text? = nil, trust: OutboundClient.Trust
  ) async throws(MatrixError) -> JSON {
    var headers: [(name: Text, value: Text)] = [("Content-Type", "application/json")]
    if let authorization { headers.append(("Authorization", authorization)) }
    let answer = try await send(.init("POST", url, headers: headers, body: body.encoded), trust)
    return try Self.read(answer, trust)
  }

  /// Asks for JSON.
  ///
  /// - Returns: nil when the server answers with an error.
  func get(_ url: Text, trust: OutboundClient.Trust) async throws(MatrixError) -> JSON? {
    let answer = try await send(.init("GET", url), trust)
    // An answer that is no JSON is one that says nothing.
    return (200..<300).contains(answer.status) ? try? JSON.parse(answer.body) : nil
  }

  /// Returns the status of an answer whose body does not matter.
  func status(_ url: Text, _ body: JSON, authorization: Text) async throws(MatrixError) -> Int {
    let headers: [(name: Text, value: Text)] = [("Content-Type", "application/json"), ("Authorization", authorization)]
    return try await send(.init("POST", url, headers: headers, body: body.encoded), .user).status
  }

  private func send(_ request: OutboundClient.Request, _ trust: OutboundClient.Trust) async throws(MatrixError)
    -> OutboundClient.Answer
  {
    do {
      return try await client.send(request, trust: trust)
    } catch .refused {
      throw .forbidden("The address of the identity server is blocked")
    } catch .busy {
      throw .limitExceeded(retryAfterMilliseconds: 5000)
    } catch {
      throw Self.unreachable(trust)
    }
  }

  private static func unreachable(_ trust: OutboundClient.Trust) -> MatrixError {
    .unknown("Failed to contact the identity server", status: trust == .user ? 400 : 502)
  }

  private static func read(_ answer: OutboundClient.Answer, _ trust: OutboundClient.Trust) throws(MatrixError) -> JSON {
    // What is no JSON has no error code either.
    let json = (try? JSON.parse(answer.body)) ?? .null
    if (200..<300).contains(answer.status), case .object = json { return json }
    guard (400..<500).contains(answer.status), let code = json["errcode"]?.string else { throw unreachable(trust) }
    throw MatrixError(ErrorCode(rawValue: code), json["error"]?.string ?? "", status: answer.status)
  }

  /// Returns whether a text can be the place of an identity server: a host with an optional port and path.
  static func isLocation(_ text: Text) -> Bool {
    let (host, path) = text.cut(at: "/").map { ($0.before, $0.after) } ?? (text, "")
    return ServerName.isValid(host)
      && path.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-._/".utf8.contains(byte)
      }
  }
}
