import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// The source of a stream whose rows are in tables: positions from the id generator, missed rows by one query.
final class TableStreamSource: StreamSource {
  /// A closure that reads at most `limit` rows with `from < token <= to`, ordered by token.
  typealias Fetch =
    @Sendable (
      _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
    ) async throws -> [StreamPage.Row]

  let stream: StreamName
  private let ids: StreamIDGenerator
  private let database: PostgresClient
  private let fetch: Fetch

  init(stream: StreamName, ids: StreamIDGenerator, database: PostgresClient, fetch: @escaping Fetch) {
    self.stream = stream
    self.ids = ids
    self.database = database
    self.fetch = fetch
  }

  func currentToken(of instance: Text) -> Int64 { ids.position(of: instance) }

  func advance(_ instance: Text, to token: Int64) { ids.advance(instance, to: token) }

  func updates(of instance: Text, from: Int64, to: Int64, limit: Int) async throws -> StreamUpdates {
    guard from < to else { return StreamUpdates(rows: [], upTo: to, limited: false) }
    return try await StreamPage.read(to: to, limit: limit) { size in
      try await fetch(database, instance, from, to, size)
    }
  }

  var minimalLocalToken: Int64? { ids.minimalLocalToken }
}
