import EndpointKit
import MatrixPrimitives
import Replication

/// The endpoint that gives other processes the rows of a stream that they missed: `GET
/// get_repl_stream_updates/<stream>/<txn id>`.
///
/// Asked of the writer of a stream that lives in memory, after a POSITION has shown a gap. Any stream of the process is
/// answered. Unlike the other calls it carries no positions, in neither direction. Observed on Synapse's wire.
package struct StreamUpdateEndpoints: Sendable {
  private let hub: StreamHub

  /// Makes the family.
  ///
  /// - Parameter hub: hub of this process, with the sources of all streams.
  package init(hub: StreamHub) { self.hub = hub }

  /// The operation. The transaction id is not looked at: reading twice does no harm.
  package var family: EndpointFamily {
    EndpointFamily(
      "stream updates", resource: "replication",
      [
        .get(
          "replication_get_repl_stream_updates", .replication("get_repl_stream_updates/{stream_name}/{txn_id}"),
          as: ClusterProcess.self, on: .everyProcess, to: updates)
      ])
  }

  private func updates(_ caller: ClusterProcess, _ request: Request) async throws -> Response {
    let updates = try await hub.ownUpdates(
      of: StreamName(rawValue: try request.parameter("stream_name")), from: try Self.token(request, "from_token"),
      to: try Self.token(request, "upto_token"))
    return .json { Self.write(updates, to: &$0) }
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
