import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// The wait of a request for everything that was committed before it began, as memory follows other processes a few
/// milliseconds behind.
///
/// A client that has been answered by one process may ask another one at once. What is kept in memory there is right up to the position of its
/// stream; so the database is asked for the position of the newest row that concerns the request, and the request waits for that, which it
/// hardly ever has to. Writers pay nothing, and neither does a server of one process.
///
/// Cost: one statement that reads one row of an index.
public struct ReadBarrier: Sendable {
  /// The longest wait: a writer that dies between storing a row and announcing it does so only after its next start.
  private static let longestWait = Duration.seconds(1)

  private let database: PostgresClient
  private let ids: StreamIDs
  private let hub: StreamHub

  /// Makes the barrier of a process.
  public init(_ context: StoreContext) {
    database = context.database
    ids = context.ids
    hub = context.hub
  }

  /// Waits for the row that a query finds.
  ///
  /// - Parameters:
  ///   - stored: the same stream, whose store this process has.
  ///   - newest: finds at most one row: its position and its writer.
  func pass(_ stream: StreamName, _ stored: StoredStream, _ newest: SQL) async throws {
    guard hub.hasPeers, let row = try await database.run(newest).first else { return }
    let (token, instance) = try row.decode(Int64.self, Text.self)
    guard ids[stored].currentToken < token else { return }
    _ = await hub.waitForPosition(stream, instance: instance, token: token, timeout: Self.longestWait)
  }
}
