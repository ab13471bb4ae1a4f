import Postgres
import Synchronization

/// Numbers the rows of one stream, and knows how far every writer of it has come.
///
/// An id taken counts as in flight until it is finished; nobody is told of a position above an id in flight. Ids come
/// from a sequence that all processes share, the positions of writers stand in `stream_positions` for processes that
/// start, and everybody else hears of them over replication (`advance`). Streams with negative ids (`isBackward`) take,
/// give and keep the negative number everywhere in this interface.
public final class StreamIDGenerator: Sendable {
  /// A table that holds rows of the stream: its name, the column with the id, and the column with the writer's name.
  public typealias Table = (table: String, idColumn: String, instanceColumn: String?)

  private let database: PostgresClient
  private let streamName: String?
  private let instanceName: String
  private let writers: [String]
  private let sequence: String
  private let tables: [Table]
  private let state: Mutex<StreamPositions>
  private let recorder: PositionRecorder?
  /// Whether ids are negative in the database and in this interface.
  public let isBackward: Bool

  /// Makes a generator; ``load()`` must be called before anything else.
  ///
  /// - Parameters:
  ///   - database: where the sequence and the tables are.
  ///   - streamName: the name in `stream_positions`; nil for a stream whose positions are not stored.
  ///   - instanceName: the name of this process.
  ///   - writers: the configured writers; empty when every process may write.
  ///   - sequence: the sequence that ids come from.
  ///   - tables: where the stream's rows are.
  ///   - isBackward: whether the ids in the tables are negative.
  public init(
    database: PostgresClient, streamName: String?, instanceName: String, writers: [String], sequence: String,
    tables: [Table], isBackward: Bool = false
  ) {
    self.database = database
    self.streamName = streamName
    self.instanceName = instanceName
    self.writers = writers
    self.sequence = sequence
    self.tables = tables
    self.isBackward = isBackward
    state = Mutex(StreamPositions(instanceName: instanceName, persistedUpTo: 1))
    recorder = streamName.map { PositionRecorder(database: database, streamName: $0, instanceName: instanceName) }
  }

  /// Whether this process may take ids.
  public var isWriter: Bool { writers.isEmpty || writers.contains(instanceName) }

  /// The position up to which every row of every writer may be read.
  public var currentToken: Int64 { sign(state.withLock { $0.persistedUpTo }) }

  /// How far the rows of a writer may be read; for an unknown writer, how far everybody's may.
  public func position(of instance: String) -> Int64 { sign(state.withLock { $0.position(of: instance) }) }

  /// Every known writer with its position.
  public var positions: [String: Int64] { state.withLock(\.all).mapValues(sign) }

  /// The own position without what follows from other writers' positions; what calls between processes carry.
  public var minimalLocalToken: Int64 { sign(state.withLock(\.own)) }

  /// Notes that another writer has come to a position. A position that is not above the known one is ignored.
  public func advance(_ instance: String, to token: Int64) {
    state.withLock { $0.advance(instance, to: sign(token)) }
  }

  /// Takes ids in one round trip. They are in flight until the reservation is finished or goes away.
  ///
  /// - Parameter count: how many, not negative.
  public func allocate(_ count: Int) async throws -> StreamIDReservation {
    try await fetch(count) { try await self.database.read($0) }
  }

  /// Takes ids within a transaction, one round trip of it. They stay taken when the transaction is rolled back.
  public func allocate(_ count: Int, in txn: Transaction) throws -> StreamIDReservation {
    let fetch = state.withLock { $0.beginFetch() }
    return try end(fetch, count) { count == 0 ? nil : try txn.query(next(count)) }
  }

  /// Takes ids, runs the work that stores rows under them, and finishes them whether it succeeds or not.
  ///
  /// - Parameters:
  ///   - count: how many ids.
  ///   - body: stores the rows; its transaction must be over when it returns.
  public func withIDs<R: Sendable>(
    _ count: Int, _ body: @Sendable ([Int64]) async throws -> R
  ) async throws -> R {
    let reservation = try await allocate(count)
    defer { reservation.finish() }
    return try await body(reservation.ids)
  }

  /// Writes the own position to `stream_positions` if it is behind; called before the process stops.
  public func flush() async {
    await recorder?.flush(sign(state.withLock(\.own)))
  }

  func finish(_ ids: [Int64]) {
    let moved: Int64? = state.withLock { state in
      let before = state.own
      state.finish(ids.map(sign))
      return state.own > before ? state.own : nil
    }
    if let moved { recorder?.record(sign(moved)) }
  }

  private func next(_ count: Int) -> SQL {
    "SELECT nextval(\(sequence)::regclass) FROM generate_series(1, \(count)::integer)"
  }

  private func fetch(
    _ count: Int, _ run: (SQL) async throws -> PostgresRows
  ) async throws -> StreamIDReservation {
    let fetch = state.withLock { $0.beginFetch() }
    let rows: PostgresRows?
    do {
      rows = count == 0 ? nil : try await run(next(count))
    } catch {
      state.withLock { $0.endFetch(fetch, ids: []) }
      throw error
    }
    return try end(fetch, count) { rows }
  }

  private func end(
    _ fetch: Int, _ count: Int, _ rows: () throws -> PostgresRows?
  ) throws -> StreamIDReservation {
    do {
      let ids = try (rows()?.map { try $0.get(0, as: Int64.self) } ?? []).sorted()
      state.withLock { $0.endFetch(fetch, ids: ids) }
      return StreamIDReservation(ids: ids.map(sign), generator: self)
    } catch {
      state.withLock { $0.endFetch(fetch, ids: []) }
      throw error
    }
  }

  private func sign(_ id: Int64) -> Int64 { isBackward ? -id : id }
}

// MARK: - Start

extension StreamIDGenerator {
  /// Reads where the stream stands. Called once, before the process writes or reads the stream.
  ///
  /// Writers that are no longer configured are struck off, so that they hold nobody back; rows that were committed and
  /// whose position was never noted (their writer was killed) are found in the tables; a sequence that stands behind
  /// its tables, as after a careless restore, is put right.
  public func load() async throws {
    let stored = try await storedPositions()
    let counter = try await database.read("SELECT last_value FROM \(identifier: sequence)")
    let last = try counter.first?.get(0, as: Int64.self) ?? 1
    let largest = try await largestID()
    if isWriter, largest > last {
      _ = try await database.read("SELECT setval(\(sequence)::regclass, \(largest))")
    }
    var begun = StreamPositions(instanceName: instanceName, persistedUpTo: stored.values.min() ?? max(largest, 1))
    for (instance, position) in stored { begun.begin(instance, at: position) }
    if isWriter { begun.begin(instanceName, at: max(last, largest)) }
    let start = begun.persistedUpTo
    for writer in writers where stored[writer] == nil && writer != instanceName { begun.begin(writer, at: start) }
    if !stored.isEmpty {
      for (id, instance) in try await rows(above: start) { begun.sawRow(id, of: instance) }
    }
    let loaded = begun
    state.withLock { $0 = loaded }
  }

  private func storedPositions() async throws -> [String: Int64] {
    guard let streamName else { return [:] }
    if !writers.isEmpty {
      _ = try await database.read(
        "DELETE FROM stream_positions WHERE stream_name = \(streamName) AND instance_name <> ALL(\(writers)::text[])")
    }
    let rows = try await database.read(
      "SELECT instance_name, stream_id FROM stream_positions WHERE stream_name = \(streamName)")
    var positions: [String: Int64] = [:]
    for row in rows {
      let (instance, id) = try row.decode(String.self, Int64.self)
      positions[instance] = sign(id)
    }
    return positions
  }

  private func largestID() async throws -> Int64 {
    var largest: Int64 = 1
    for table in tables {
      let column: SQL = "\(identifier: table.idColumn)"
      let end: SQL = isBackward ? "min(\(column))" : "max(\(column))"
      let found = try await database.read("SELECT \(end) FROM \(identifier: table.table)")
      if let id = try found.first?.get(0, as: Int64?.self) ?? nil { largest = max(largest, sign(id)) }
    }
    return largest
  }

  private func rows(above position: Int64) async throws -> [(id: Int64, instance: String?)] {
    var found: [(id: Int64, instance: String?)] = []
    for table in tables {
      let column: SQL = "\(identifier: table.idColumn)"
      let instance: SQL = table.instanceColumn.map { "\(identifier: $0)" } ?? "NULL::text"
      let beyond: SQL = isBackward ? "\(column) < \(sign(position))" : "\(column) > \(position)"
      for row in try await database.read(
        "SELECT \(column), \(instance) FROM \(identifier: table.table) WHERE \(beyond)")
      {
        let (id, name) = try row.decode(Int64.self, String?.self)
        found.append((sign(id), name))
      }
    }
    return found.sorted { $0.id < $1.id }
  }
}

/// Ids that were taken from a stream and are in flight until `finish()`, or until nobody holds the reservation.
public final class StreamIDReservation: Sendable {
  /// The ids, in the order in which rows should be stored under them.
  public let ids: [Int64]
  private let generator: StreamIDGenerator
  private let isFinished = Mutex(false)

  init(ids: [Int64], generator: StreamIDGenerator) {
    self.ids = ids
    self.generator = generator
  }

  deinit { finish() }

  /// Ends the flight: the rows are committed, or never will be. A second call does nothing.
  public func finish() {
    let wasFinished = isFinished.withLock { isFinished in
      defer { isFinished = true }
      return isFinished
    }
    if !wasFinished, !ids.isEmpty { generator.finish(ids) }
  }
}
