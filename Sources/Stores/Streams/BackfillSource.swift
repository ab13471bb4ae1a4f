import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// The source of the `backfill` stream: history fetched later. Tokens are positive on the wire and negative in the
/// tables.
final class BackfillSource: StreamSource {
  private let ids: StreamIDGenerator
  private let database: PostgresClient

  init(ids: StreamIDGenerator, database: PostgresClient) {
    self.ids = ids
    self.database = database
  }

  var stream: StreamName { .backfill }
  var minimalLocalToken: Int64? { abs(ids.minimalLocalToken) }

  func currentToken(of instance: Text) -> Int64 { abs(ids.position(of: instance)) }

  func advance(_ instance: Text, to token: Int64) { ids.advance(instance, to: ids.isBackward ? -token : token) }

  func updates(of instance: Text, from: Int64, to: Int64, limit: Int) async throws -> StreamUpdates {
    guard from < to else { return StreamUpdates(rows: [], upTo: to, limited: false) }
    return try await StreamPage.read(to: to, limit: limit) { size in
      let rows = try await database.run(
        """
        SELECT -e.stream_ordering, \(EventsSource.columns) FROM events AS e \(EventsSource.joins)
        WHERE e.stream_ordering < \(-from)::bigint AND e.stream_ordering >= \(-to)::bigint
          AND COALESCE(e.instance_name, 'master') = \(instance)
        UNION ALL
        SELECT -o.event_stream_ordering, \(EventsSource.columns)
        FROM ex_outlier_stream AS o JOIN events AS e ON e.event_id = o.event_id \(EventsSource.joins)
        WHERE o.event_stream_ordering < \(-from)::bigint AND o.event_stream_ordering >= \(-to)::bigint
          AND COALESCE(o.instance_name, 'master') = \(instance)
        ORDER BY 1 LIMIT \(Int64(size))::bigint
        """)
      return try rows.map { row in
        let (token, id, room, type, key, redacts, relation) = try row.decode(
          Int64.self, Text.self, Text.self, Text.self, Text?.self, Text?.self, Text?.self)
        let event = BackfillRow(
          eventID: EventID(unchecked: id), roomID: RoomID(unchecked: room), type: type, stateKey: key,
          redacts: redacts.map { EventID(unchecked: $0) }, relatesTo: relation.map { EventID(unchecked: $0) })
        return (token, .backfill(event))
      }
    }
  }
}
