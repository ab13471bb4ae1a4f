import EndpointKit
import MatrixPrimitives
import Replication

/// The endpoints of calls between processes under `/_synapse/replication/`, with what all of them share.
///
/// Each waits until this process has seen the positions in the request, carries the call out once for a transaction id
/// where the call is cached, and adds its own positions to the answer. One per process.
package struct CallEndpoints: Sendable {
  /// The largest body, in bytes; a batch of events may be large.
  private static let bodyLimit = 256 << 20

  private let calls: [ServedCall]
  private let positions: ReplicationPositions
  private let cache: ReplicationResponseCache

  /// Makes the family.
  ///
  /// - Parameters:
  ///   - calls: what this process answers.
  ///   - isMainProcess: whether the calls that are only the main process's are served, too.
  ///   - positions: the own positions, and how to wait for another's.
  ///   - clock: decides when kept answers expire.
  package init(_ calls: [ServedCall], isMainProcess: Bool, positions: ReplicationPositions, clock: ServerClock) {
    self.calls = calls.filter { isMainProcess || !$0.isServedByMainOnly }
    self.positions = positions
    cache = ReplicationResponseCache(clock: clock)
  }

  /// The operations of the family.
  package var family: EndpointFamily { EndpointFamily("replication", resource: "replication", calls.map(endpoint)) }

  private func endpoint(_ call: ServedCall) -> Endpoint {
    let segments = call.argumentNames.map { "{\($0)}" } + (call.isCached ? ["{txn_id}"] : [])
    // Without any argument the path ends in a slash, as on Synapse's wire.
    let path = "\(call.name)/" + segments.joined(separator: "/")
    return .post(
      "replication_\(call.name)", .replication(path), as: ClusterProcess.self, on: .everyProcess,
      body: .collected(limit: Self.bodyLimit)
    ) { [positions, cache] _, request in
      // What one process has accepted, at whatever depth, the others accept with the levels that the call adds.
      let body = try request.jsonObjectOrEmpty(maximumDepth: JSONDocument.storedDepth)
      try await ReplicationRequestEnvelope.read(body)?.wait(positions)
      let arguments = CallArguments { name throws(MatrixError) in try request.parameter(name) }
      let answer: [UInt8]
      if call.isCached {
        let id = try request.parameter("txn_id")
        answer = try await cache.response(endpoint: call.name, transactionID: id) {
          try await call.answer(arguments, body)
        }
      } else {
        answer = try await call.answer(arguments, body)
      }
      return .encoded(ReplicationRequestEnvelope.seal(answer, positions: positions.own()))
    }
  }
}
