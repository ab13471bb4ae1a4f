import ByteText
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// The writer of one stream's rows in the order that readers rely on: allocate an id, commit, tell memory, publish, and
/// only then let the position pass the id.
struct StreamWriter: Sendable {
  let stream: StreamName
  let ids: StreamIDGenerator
  let hub: StreamHub

  /// Makes the writer of a stream.
  init(_ stream: StreamName, _ ids: StreamIDGenerator, _ context: StoreContext) {
    self.stream = stream
    self.ids = ids
    hub = context.hub
  }

  /// The name of this process in the stream's tables.
  var instanceName: Text { hub.instanceName }

  /// Runs a write under one fresh id.
  ///
  /// - Parameter body: commits the write and brings memory up to date, then returns the rows to publish; none when nothing was
  ///   written after all.
  func write<R: Sendable>(
    _ body: @Sendable (Int64) async throws -> (result: R, rows: [StreamRow])
  ) async throws -> R {
    let result = try await ids.withIDs(1) { reserved in
      guard let id = reserved.first else { throw StreamIDMissing() }
      let (result, rows) = try await telling([id]) { try await body(id) }
      if !rows.isEmpty { hub.publish(stream, token: id, rows: rows) }
      return result
    }
    hub.wake(stream)
    return result
  }

  /// Runs a write under several fresh ids, one row each.
  ///
  /// - Parameter body: commits the write and brings memory up to date, then returns a row for every id.
  func write(_ count: Int, _ body: @Sendable ([Int64]) async throws -> [StreamRow]) async throws {
    try await ids.withIDs(count) { reserved in
      guard reserved.count == count else { throw StreamIDMissing() }
      for (id, row) in zip(reserved, try await telling(reserved) { try await body(reserved) }) {
        hub.publish(stream, token: id, rows: [row])
      }
    }
    hub.wake(stream)
  }

  /// Lets every reader look for the rows when the connection broke during the commit: they may be there.
  private func telling<R: Sendable>(_ ids: [Int64], _ body: @Sendable () async throws -> R) async throws -> R {
    do {
      return try await body()
    } catch let error as PostgresError where error.code == .commitOutcomeUnknown {
      for id in ids { hub.publishUnknown(stream, token: id) }
      throw error
    }
  }
}

/// The error that a generator handed out no id: a fault of the server itself.
struct StreamIDMissing: Error {}
