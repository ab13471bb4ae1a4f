import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// A stream whose rows are kept in the database: names, sequence and tables as Synapse has them.
///
/// Declared once, as a constant in the folder of the domain that owns the tables; everything else about the stream follows from it.
public struct StoredStream: Sendable {
  /// A closure that makes the source from which the hub reads positions and missed rows.
  typealias MakeSource = @Sendable (StreamIDGenerator, PostgresClient) -> any StreamSource

  /// Stream whose configured writers write this one; nil when every process does.
  let writers: StreamName?
  /// Name in `stream_positions`; nil for a stream whose positions are not stored.
  let storedName: Text?
  /// Sequence that the ids come from; no other stream has it.
  let sequence: Text
  /// Tables with rows of the stream.
  let tables: [StreamIDGenerator.Table]
  /// Whether ids fall.
  let isBackward: Bool
  /// Nil for ids that no stream announces, and where a service registers the source.
  let makeSource: MakeSource?

  /// Declares a stream whose source is made in a way of its own.
  init(
    writers: StreamName?, storedName: Text?, sequence: Text, tables: [StreamIDGenerator.Table],
    isBackward: Bool = false, makeSource: MakeSource? = nil
  ) {
    self.writers = writers
    self.storedName = storedName
    self.sequence = sequence
    self.tables = tables
    self.isBackward = isBackward
    self.makeSource = makeSource
  }

  /// Declares a stream whose missed rows one query finds.
  ///
  /// - Parameters:
  ///   - name: on the wire.
  ///   - storedName: the name in `stream_positions`, nil when positions are not stored.
  ///   - writers: the stream whose writers write this one; nil when every process does.
  ///   - missed: reads rows of a range.
  init(
    _ name: StreamName, storedName: Text?, writers: StreamName?, sequence: Text, tables: [StreamIDGenerator.Table],
    missed: @escaping TableStreamSource.Fetch
  ) {
    self.init(writers: writers, storedName: storedName, sequence: sequence, tables: tables) { ids, database in
      TableStreamSource(stream: name, ids: ids, database: database, fetch: missed)
    }
  }

  /// Returns tables whose rows have their id in `stream_id` and their writer in `instance_name`.
  static func tables(_ names: Text...) -> [StreamIDGenerator.Table] {
    names.map { ($0, "stream_id", "instance_name") }
  }

  /// Makes the condition that rows lie in a range.
  static func bounds(_ column: SQL, _ from: Int64, _ to: Int64) -> SQL {
    "\(column) > \(from)::bigint AND \(column) <= \(to)::bigint"
  }

  /// Makes the end of a query whose rows come in the order of their tokens, at most so many.
  static func tail(_ limit: Int) -> SQL { "ORDER BY 1 LIMIT \(Int64(limit))::bigint" }
}
