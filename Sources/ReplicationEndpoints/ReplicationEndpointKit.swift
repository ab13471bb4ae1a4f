import EndpointKit
import MatrixPrimitives
import Replication

/// Makes the endpoints under `/_synapse/replication/`, with what all of them share.
///
/// Each waits until this process has seen the positions in the request, carries the call out once for a transaction id
/// where the endpoint is cached, and adds its own positions to the answer. One per process.
public struct ReplicationEndpointKit: Sendable {
  /// Carries out a call; the answer is an object.
  public typealias Handler = @Sendable (ReplicationCall) async throws -> JSON

  private let positions: ReplicationPositions
  private let cache: ReplicationResponseCache

  /// Makes the kit.
  ///
  /// - Parameters:
  ///   - positions: the own positions, and how to wait for another's.
  ///   - clock: tells when kept answers expire.
  public init(positions: ReplicationPositions, clock: ServerClock) {
    self.positions = positions
    cache = ReplicationResponseCache(clock: clock)
  }

  /// Declares one `POST` endpoint.
  ///
  /// - Parameters:
  ///   - name: the endpoint's name, the first path segment after `/_synapse/replication/`.
  ///   - parameters: the path arguments that follow, in order.
  ///   - isCached: whether the path ends in a transaction id and answers are kept for repeats.
  ///   - bodyLimit: the largest body, in bytes; a batch of events may be large.
  ///   - handler: carries the call out.
  public func endpoint(
    _ name: Text, parameters: [Text], isCached: Bool, bodyLimit: Int = 256 << 20, handler: @escaping Handler
  ) -> Endpoint {
    let segments = parameters.map { "{\($0)}" } + (isCached ? ["{txn_id}"] : [])
    // Without any argument the path ends in a slash, as on Synapse's wire.
    let path = segments.isEmpty ? "\(name)/" : "\(name)/" + segments.joined(separator: "/")
    let positions = positions
    let cache = cache
    return Endpoint(
      name: "replication_\(name)", method: .post, paths: PathPattern.replication(path), auth: .replication,
      role: .everyProcess, bodyLimit: bodyLimit
    ) { request in
      // What one process has accepted, at whatever depth, the others accept with the levels that the call adds.
      let body = try request.jsonObjectOrEmpty(maximumDepth: JSONDocument.storedDepth)
      try await ReplicationRequestEnvelope.read(body)?.wait(positions)
      let call = ReplicationCall(request: request, body: body)
      let answer: [UInt8]
      if isCached {
        let id = try request.parameter("txn_id")
        answer = try await cache.response(endpoint: name, transactionID: id) { try await handler(call).encoded }
      } else {
        answer = try await handler(call).encoded
      }
      return .encoded(ReplicationRequestEnvelope.seal(answer, positions: positions.own()))
    }
  }
}

/// One call of another process.
public struct ReplicationCall: Sendable {
  private let request: Request
  /// The body, an object; `_INT_STREAM_POS` is still in it and of no concern.
  public let body: JSONValue

  init(request: Request, body: JSONValue) {
    self.request = request
    self.body = body
  }

  /// Finds a path argument, percent-decoded.
  public func argument(_ name: Text) throws(MatrixError) -> Text { try request.parameter(name) }

  /// Reads a path argument as a user ID.
  public func userID(_ name: Text) throws(MatrixError) -> UserID { try request.userID(name) }

  /// Reads a path argument as a room ID.
  public func roomID(_ name: Text) throws(MatrixError) -> RoomID { try request.roomID(name) }
}
