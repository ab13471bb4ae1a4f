import EndpointKit
import MatrixPrimitives
import Replication

/// Gives other processes the rows of a stream that they missed: `GET get_repl_stream_updates/<stream>/<txn id>`.
///
/// Asked of the writer of a stream that lives in memory, after a POSITION has shown a gap. Any stream of the process is
/// answered. Unlike the other calls it carries no positions, in neither direction. Observed on Synapse's wire.
public struct GetReplStreamUpdatesEndpoint: Sendable {
  private let hub: StreamHub

  /// Makes the endpoint.
  /// - Parameter hub: hub of this process, which knows the sources of all streams.
  public init(hub: StreamHub) { self.hub = hub }

  /// Declares the endpoint. The transaction id is not looked at: reading twice does no harm.
  public var endpoint: Endpoint {
    let hub = hub
    return Endpoint(
      name: "replication_get_repl_stream_updates", method: .get,
      paths: PathPattern.replication("get_repl_stream_updates/{stream_name}/{txn_id}"), auth: .replication,
      role: .everyProcess
    ) { request in
      let stream = StreamName(rawValue: try request.parameter("stream_name"))
      let from = try Self.token(request, "from_token")
      let to = try Self.token(request, "upto_token")
      let updates = try await hub.ownUpdates(of: stream, from: from, to: to)
      return Response.json { Self.write(updates, to: &$0) }
    }
  }

  private static func token(_ request: Request, _ name: Text) throws(MatrixError) -> Int64 {
    guard let token = Int64(try request.requireQueryValue(name)) else {
      throw .invalidParam("Query parameter \(name) must be an integer")
    }
    return token
  }

  private static func write(_ updates: StreamUpdates, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.key("updates")
    writer.beginArray()
    for (token, row) in updates.rows {
      writer.beginArray()
      writer.value(token)
      row.write(to: &writer)
      writer.endArray()
    }
    writer.endArray()
    writer.member("upto_token", updates.upTo)
    writer.member("limited", updates.isLimited)
    writer.endObject()
  }
}
