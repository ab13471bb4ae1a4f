import AsyncHTTPClient
import MatrixPrimitives
import NIOCore
import NIOHTTP1

/// A request of a client that another process of the cluster has to answer.
public struct ForwardedRequest: Sendable {
  /// The path under which processes take requests that others pass on; path and query of the request follow.
  public static let pathPrefix: Text = "/_synapse/replication/forward"
  /// The header field with the client's `Authorization`, whose own place the secret of the cluster takes.
  public static let authorizationField: Text = "X-Forwarded-Authorization"

  /// The method as sent.
  public let method: Text
  /// Path and query as sent.
  public let target: Text
  /// The header fields to send, without those of the connection.
  public let headers: [(name: Text, value: Text)]
  /// The whole body.
  public let body: [UInt8]

  /// Describes a request.
  public init(method: Text, target: Text, headers: [(name: Text, value: Text)], body: [UInt8]) {
    self.method = method
    self.target = target
    self.headers = headers
    self.body = body
  }
}

/// What another process answered to a ``ForwardedRequest``.
public struct ForwardedAnswer: Sendable {
  /// The HTTP status.
  public let status: Int
  /// All header fields.
  public let headers: [(name: Text, value: Text)]
  /// The whole body.
  public let body: [UInt8]
}

extension ReplicationClient {
  /// The longest wait for the answer to a forwarded request; handlers there end sooner.
  private static let forwardingTimeout = TimeAmount.seconds(200)
  /// The largest answer to a forwarded request, in bytes.
  private static let largestForwardedAnswer = 64 << 20

  /// Asks another process for the answer to a client's request. It is tried once: whether it may be repeated is for the client to know.
  ///
  /// - Throws: `MatrixError` 502 when the process cannot be reached or does not answer in time, `CancellationError`, `ReplicationError` when the
  ///   instance is unknown.
  public func forward(_ forwarded: ForwardedRequest, to instance: Text) async throws -> ForwardedAnswer {
    guard instance != instanceName, let address = instances[instance] else {
      throw ReplicationError(.unknownInstance, "\(instance) is not another process in instance_map")
    }
    var request = HTTPClientRequest(url: address.url(path: ForwardedRequest.pathPrefix + forwarded.target).string)
    request.method = HTTPMethod(rawValue: forwarded.method.string)
    for field in forwarded.headers { request.headers.add(name: field.name.string, value: field.value.string) }
    if let secret { request.headers.replaceOrAdd(name: "Authorization", value: "Bearer \(secret)") }
    if !forwarded.body.isEmpty { request.body = .bytes(ByteBuffer(bytes: forwarded.body)) }
    do {
      let response = try await forwarding.execute(request, timeout: Self.forwardingTimeout, logger: nil)
      let body = try await response.body.collect(upTo: Self.largestForwardedAnswer)
      return ForwardedAnswer(
        status: Int(response.status.code), headers: response.headers.map { (Text($0.name), Text($0.value)) },
        body: Array(body.readableBytesView))
    } catch let error as CancellationError {
      throw error
    } catch let error as HTTPClientError where error == .cancelled {
      throw CancellationError()
    } catch {
      logger.warning("request cannot be passed on", metadata: ["instance": "\(instance)", "error": "\(error)"])
      throw MatrixError.unknown("Failed to talk to \(instance)", status: 502)
    }
  }
}
