import ByteText
import Logging
import Postgres
import Synchronization

/// The generator of one stream's ids, which also tracks how far the stream is complete, together with other processes
/// that write it.
///
/// Compatible with Synapse's processes on the same database: ids come from a sequence, rows bear their writer's name, and a
/// writer's position is kept in `stream_positions`. The positions of other writers come through ``advance(_:to:)``.
public final class StreamIDGenerator: Sendable {
  /// A table that holds rows of the stream.
  public typealias Table = (table: Text, idColumn: Text, instanceColumn: Text?)

  /// The number of ids that can be asked for at once.
  public static let largestCount = 100_000

  /// The name in `stream_positions`; nil for a stream whose positions are not stored.
  public let streamName: Text?
  /// The name of this process.
  public let instanceName: Text
  /// The processes that may write; empty when all may.
  public let writers: [Text]
  /// Whether ids fall: -2, -3, … for history that is fetched later.
  public let isBackward: Bool

  /// A wait for everything up to an id, or for what this process itself writes.
  private struct Waiter {
    let target: Int64
    let isOwn: Bool
    let continuation: CheckedContinuation<Void, Never>
  }

  private struct State {
    var positions: StreamPositions
    var waiters: [UInt64: Waiter] = [:]
    var lastWaiter: UInt64 = 0
  }

  private let database: PostgresClient
  private let sequence: Text
  private let tables: [Table]
  private let state: Mutex<State>
  private let positionWriter: StreamPositionWriter?

  /// Makes a generator. ``load()`` has to be called before anything else.
  ///
  /// - Parameters:
  ///   - database: Where the sequence and tables are.
  ///   - streamName: The name in `stream_positions`, which is not always the name of the replication stream.
  ///   - instanceName: The name of this process, `master` for the main one.
  ///   - writers: The processes that may write; empty when all may, and then positions are not stored.
  ///   - sequence: The sequence that numbers come from.
  ///   - tables: The tables with rows of the stream.
  ///   - isBackward: Whether ids are the negated numbers.
  ///   - logger: Told when a position cannot be stored.
  public init(
    database: PostgresClient, streamName: Text?, instanceName: Text, writers: [Text], sequence: Text,
    tables: [(table: Text, idColumn: Text, instanceColumn: Text?)], isBackward: Bool = false,
    logger: Logger = Logger(label: "stream-ids")
  ) {
    self.database = database
    self.streamName = streamName
    self.instanceName = instanceName
    self.writers = writers
    self.sequence = sequence
    self.tables = tables
    self.isBackward = isBackward
    state = Mutex(State(positions: StreamPositions(instanceName: instanceName)))
    positionWriter = streamName.flatMap { name in
      writers.contains(instanceName)
        ? StreamPositionWriter(
          database: database, streamName: name, instanceName: instanceName, isBackward: isBackward, logger: logger)
        : nil
    }
  }

  private var sign: Int64 { isBackward ? -1 : 1 }

  /// Whether this process may take ids.
  public var isWriter: Bool { writers.isEmpty || writers.contains(instanceName) }

  /// Reads how far the stream is; to be called once at start, before the process receives from others.
  ///
  /// Removes positions of processes that are no longer writers, and moves a sequence forward that has fallen behind its tables.
  ///
  /// - Throws: `StreamIDError` when the stored positions are ahead of the sequence, or `PostgresError`.
  public func load() async throws {
    let loader = StreamPositionLoader(
      streamName: streamName, instanceName: instanceName, writers: writers, sequence: sequence, tables: tables,
      isBackward: isBackward)
    // Read committed: other processes store their positions at the same time, and nothing here needs one moment in time.
    let positions = try await database.transaction("load stream positions", isolation: .readCommitted) { txn in
      try loader.load(txn)
    }
    state.withLock { $0.positions = positions }
  }

  // MARK: - Handing out ids

  /// Runs a closure with new ids, which are in flight until it ends; then the position advances and is stored.
  ///
  /// - Parameters:
  ///   - count: The number of ids, from 0 to ``largestCount``.
  ///   - body: Stores the rows. When it throws, the ids are given up.
  /// - Throws: `StreamIDError` when this process is not a writer, `PostgresError`, or what the closure threw.
  public func withIDs<R: Sendable>(_ count: Int, _ body: @Sendable ([Int64]) async throws -> R) async throws -> R {
    let reservation = try await allocate(count)
    defer { reservation.finish() }
    return try await body(reservation.ids)
  }

  /// Reserves ids in one round trip, for callers that gather several writes. The caller has to finish the reservation.
  ///
  /// - Parameter count: The number of ids, from 0 to ``largestCount``.
  /// - Throws: `StreamIDError` when this process is not a writer, or `PostgresError`.
  public func allocate(_ count: Int) async throws -> StreamIDReservation {
    try check(count)
    guard count > 0 else { return StreamIDReservation(ids: [], onFinish: { _ in }) }
    let fetch = state.withLock { $0.positions.beginFetch() }
    do {
      return reserve(fetch, try decode(try await database.run(nextValues(count)), count))
    } catch {
      state.withLock { $0.positions.endFetch(fetch, ids: []) }
      throw error
    }
  }

  /// Reserves ids inside a transaction that also stores their rows. One round trip of it.
  ///
  /// The code that publishes the rows finishes the reservation after that, in `afterCommit`; otherwise, and when the transaction
  /// fails, it is finished when the transaction goes away.
  ///
  /// - Parameters:
  ///   - count: The number of ids, from 0 to ``largestCount``.
  ///   - txn: The transaction in which the rows are stored.
  /// - Throws: `StreamIDError` when this process is not a writer, or `PostgresError`.
  public func allocate(_ count: Int, in txn: Transaction) throws -> StreamIDReservation {
    try check(count)
    guard count > 0 else { return StreamIDReservation(ids: [], onFinish: { _ in }) }
    let fetch = state.withLock { $0.positions.beginFetch() }
    do {
      let reservation = reserve(fetch, try decode(try txn.query(nextValues(count)), count))
      // Keeps the ids in flight for as long as the transaction exists, whatever its closure does with them.
      txn.afterCommit { withExtendedLifetime(reservation) {} }
      return reservation
    } catch {
      state.withLock { $0.positions.endFetch(fetch, ids: []) }
      throw error
    }
  }

  private func check(_ count: Int) throws(StreamIDError) {
    guard isWriter else { throw .notAWriter(sequence, instanceName) }
    guard count >= 0, count <= Self.largestCount else { throw .badCount(count) }
  }

  private func nextValues(_ count: Int) -> SQL {
    count == 1
      ? "SELECT nextval(\(sequence)::regclass)"
      : "SELECT nextval(\(sequence)::regclass) FROM generate_series(1, \(count)::integer)"
  }

  private func decode(_ rows: PostgresRows, _ count: Int) throws -> [Int64] {
    // Rows are stored in the order of their ids.
    let ids = try rows.map { try $0.get(0, as: Int64.self) }.sorted()
    guard ids.count == count else { throw StreamIDError.incomplete(sequence) }
    return ids
  }

  private func reserve(_ fetch: StreamPositions.Fetch, _ ids: [Int64]) -> StreamIDReservation {
    state.withLock { $0.positions.endFetch(fetch, ids: ids) }
    return StreamIDReservation(ids: ids.map { $0 * sign }) { [self] ids in
      let position = change { positions in
        positions.finish(ids.map { $0 * sign })
        return positions.ownMaximum
      }
      positionWriter?.store(position * sign)
    }
  }

  /// Waits until the own position is in `stream_positions`, as far as it goes now. For a process that is about to end.
  public func flush() async {
    positionWriter?.store(position(of: instanceName))
    await positionWriter?.flush()
  }

  // MARK: - Positions

  /// Everything up to this id, inclusive, has been persisted and can be read.
  public var currentToken: Int64 {
    state.withLock { $0.positions.persistedUpTo } * sign
  }

  /// Returns how far a writer is; for this process as far as it may claim to be.
  public func position(of instance: Text) -> Int64 {
    state.withLock { $0.positions.position(of: instance) } * sign
  }

  /// The positions of all writers that are known.
  public var positions: [Text: Int64] {
    state.withLock { $0.positions.all }.mapValues { $0 * sign }
  }

  /// The last id that this process itself has finished writing (`_INT_STREAM_POS` between processes).
  public var minimalLocalToken: Int64 {
    state.withLock { $0.positions.own } * sign
  }

  /// Notes how far another writer is, as learnt through replication. Never moves backwards.
  public func advance(_ instance: Text, to position: Int64) {
    change { $0.advance(instance, to: position * sign) }
  }

  /// Waits until everything up to an id has been persisted; returns early when the task is cancelled.
  public func waitUntilPersisted(_ token: Int64) async { await wait(token * sign, isOwn: false) }

  /// Waits until the own position has reached an id, that is until nothing with a lower one is being written by this process;
  /// returns early when the task is cancelled.
  public func waitForOwn(_ token: Int64) async { await wait(token * sign, isOwn: true) }

  private func wait(_ target: Int64, isOwn: Bool) async {
    let number = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReached = state.withLock { state in
          let reached = isOwn ? state.positions.ownMaximum : state.positions.persistedUpTo
          if reached >= target || Task.isCancelled { return true }
          state.waiters[number] = Waiter(target: target, isOwn: isOwn, continuation: continuation)
          return false
        }
        if isReached { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
      waiter?.continuation.resume()
    }
  }

  /// Changes the positions and resumes waiters whose position has been reached.
  @discardableResult
  private func change<R: Sendable>(_ body: (inout StreamPositions) -> R) -> R {
    let (result, reached) = state.withLock { state in
      let result = body(&state.positions)
      guard !state.waiters.isEmpty else { return (result, [CheckedContinuation<Void, Never>]()) }
      let (persisted, own) = (state.positions.persistedUpTo, state.positions.ownMaximum)
      let numbers = state.waiters.filter { $0.value.target <= ($0.value.isOwn ? own : persisted) }.map(\.key)
      return (result, numbers.compactMap { state.waiters.removeValue(forKey: $0)?.continuation })
    }
    for continuation in reached { continuation.resume() }
    return result
  }
}
