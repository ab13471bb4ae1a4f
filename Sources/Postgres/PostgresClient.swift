import Glibc
import Logging
import ServiceLifecycle
import Threads

/// The client of one PostgreSQL database: transactions on connections of their own, single statements on shared ones.
///
/// A database that goes away costs errors for what was under way; the client connects again by itself.
public final class PostgresClient: Service, Sendable {
  /// The address of the database, and how much is asked of it.
  public let configuration: PostgresConfiguration
  private let counters = Counters()
  private let pool: ConnectionPool
  private let reactor: Reactor

  /// Makes a client. Nothing is connected before ``start()`` or the first statement.
  public init(_ configuration: PostgresConfiguration, logger: Logger) {
    self.configuration = configuration
    pool = ConnectionPool(configuration, counters: counters, logger: logger)
    reactor = Reactor(configuration, counters: counters, logger: logger)
  }

  /// Closes the connections of a client that was let go without ``shutdown()``; nothing can be under way then.
  deinit {
    pool.stop {}
    reactor.stop {}
  }

  /// Connects once, so that a wrong address or password is known at once, and then opens the other connections.
  ///
  /// - Throws: `PostgresError` with code `connectFailed`.
  public func start() async throws {
    let configuration = configuration
    let connection: Connection = try await withCheckedThrowingContinuation { continuation in
      BlockingThread.start("pg-connect", stackSize: 2 << 20) {
        continuation.resume(with: Result { () throws(PostgresError) in try Connection.open(configuration) })
      }
    }
    pool.start(with: connection)
    reactor.start()
  }

  /// Starts, serves until the service group shuts down gracefully or the task is cancelled, and closes all connections.
  public func run() async throws {
    try await start()
    // Cancellation ends the serving like a graceful shutdown does.
    try? await gracefulShutdown()
    await shutdown()
  }

  /// Refuses new work, lets what is under way end (single statements for at most 5 s), and closes all connections.
  public func shutdown() async {
    await withCheckedContinuation { continuation in pool.stop { continuation.resume() } }
    await withCheckedContinuation { continuation in reactor.stop { continuation.resume() } }
  }

  /// The counts of what the client has done so far.
  public var statistics: PostgresStatistics {
    counters.snapshot(waiting: pool.waiting + reactor.outstanding)
  }

  /// Runs a closure as one transaction on a connection of its own and commits it.
  ///
  /// The closure runs on that connection's thread and must not wait for anything but the database. It is run again, with a new
  /// `Transaction`, when others collide with it (40001, 40P01) or the connection breaks before COMMIT was sent; so it must not
  /// change anything outside, other than through `afterCommit`. When the calling task is cancelled, the running statement is
  /// stopped and the transaction rolled back.
  ///
  /// - Parameters:
  ///   - name: Names the transaction in the log.
  ///   - isolation: How much is seen of others; `repeatableRead` as in Synapse.
  ///   - readOnly: Whether the server refuses writes. Makes repeating always safe.
  ///   - whenVisible: Called, on the connection's thread, as soon as others see the changes. They are on disk only when the call
  ///     returns: until then they must not be announced. When the disk cannot be waited for, `commitOutcomeUnknown` is thrown.
  ///   - body: What to do.
  /// - Returns: What the closure returned in the run that was committed.
  /// - Throws: What the closure threw or required, or `PostgresError`. With code `commitOutcomeUnknown` it may have been committed.
  public func transaction<R: Sendable>(
    _ name: StaticString, isolation: IsolationLevel = .repeatableRead, readOnly: Bool = false,
    whenVisible: (@Sendable () -> Void)? = nil, _ body: @escaping @Sendable (Transaction) throws -> R
  ) async throws -> R {
    let ticket = JobTicket()
    let runner = TransactionRunner(
      name: name, isolation: isolation, isReadOnly: readOnly, whenVisible: whenVisible, body: body)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard ticket.arm({ continuation.resume(throwing: $0) }) else {
          return continuation.resume(throwing: PostgresError.cancelledBefore)
        }
        pool.submit(ticket) { session in
          let result = runner.run(on: session, ticket: ticket)
          ticket.finish()
          continuation.resume(with: result)
        }
      }
    } onCancel: {
      ticket.cancel()
    }
  }

  /// Runs a single statement outside any transaction on a shared connection.
  ///
  /// Meant for reads, and for writes that need nothing else beside them. Statements that begin with `SELECT` are repeated when
  /// the connection breaks. A slow statement holds up others, so long ones belong into a read-only transaction.
  ///
  /// - Throws: `PostgresError`; after `connectionLost` a write may have been done.
  @discardableResult
  public func run(_ sql: SQL) async throws -> PostgresRows {
    let request = ReadRequest(sql: sql, deadline: .now + configuration.waitTimeout)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard request.arm(continuation) else {
          return continuation.resume(throwing: PostgresError.cancelledBefore)
        }
        reactor.submit(request)
      }
    } onCancel: {
      request.settle(.failure(PostgresError(code: .cancelled, message: "cancelled while waiting for the answer")))
      reactor.wake()
    }
  }
}

extension PostgresError {
  fileprivate static let cancelledBefore = PostgresError(code: .cancelled, message: "cancelled before it began")
}
