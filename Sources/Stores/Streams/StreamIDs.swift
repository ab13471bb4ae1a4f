import MatrixPrimitives
import Postgres
import Replication
import StorageEngine
import Synchronization

/// Id generators of the streams that this process follows.
public final class StreamIDs: Sendable {
  private let database: PostgresClient
  private let hub: StreamHub
  private let writers: @Sendable (StreamName) -> [Text]
  private let generators = Mutex<[Text: StreamIDGenerator]>([:])

  /// Follows no stream yet.
  ///
  /// - Parameters:
  ///   - hub: names this process and gets the streams' sources.
  ///   - writers: returns the configured writers of a stream.
  init(database: PostgresClient, hub: StreamHub, writers: @escaping @Sendable (StreamName) -> [Text]) {
    self.database = database
    self.hub = hub
    self.writers = writers
  }

  /// Returns the generator of a stream, made at the first question, which also registers the stream's source with the hub.
  ///
  /// Ask in initialisers and keep the answer: ``load()`` reads the positions of the streams that were asked for until then.
  public subscript(_ stream: StoredStream) -> StreamIDGenerator {
    generators.withLock { generators in
      if let known = generators[stream.sequence] { return known }
      let generator = StreamIDGenerator(
        database: database, streamName: stream.storedName, instanceName: hub.instanceName,
        writers: stream.writers.map(writers) ?? [], sequence: stream.sequence, tables: stream.tables,
        isBackward: stream.isBackward)
      generators[stream.sequence] = generator
      if let source = stream.makeSource?(generator, database) { hub.register(source) }
      return generator
    }
  }

  /// Follows streams of which no store keeps anything, so that other processes learn this one's positions.
  func follow(_ streams: StoredStream...) {
    for stream in streams { _ = self[stream] }
  }

  /// Reads the positions of all streams; once, at start.
  func load() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for generator in generators.withLock({ Array($0.values) }) { group.addTask { try await generator.load() } }
      try await group.waitForAll()
    }
  }
}
