import ByteText
import CLibPQ
import Glibc

/// One libpq connection in pipeline mode.
///
/// Never used by two threads at the same time: it belongs to the worker or reactor thread that holds it, and is handed from a
/// connecting thread to that one once. This makes `@unchecked Sendable` true.
final class Connection: @unchecked Sendable {
  /// What came of a batch that was waited for.
  struct Outcome {
    var rows: [PostgresRows]
    var error: PostgresError?
    /// Whether the connection is of no more use.
    var isLost: Bool
    /// Whether every statement of the batch left the program, so that the server may have acted on all of them.
    var isWholeBatchSent = true
  }

  private let raw: OpaquePointer
  let cancelHandle: CancelHandle
  private var statements: StatementCache
  private var binds = BindBuffer()

  private init(raw: OpaquePointer, cancelHandle: CancelHandle, preparedStatementLimit: Int) {
    self.raw = raw
    self.cancelHandle = cancelHandle
    statements = StatementCache(limit: preparedStatementLimit)
  }

  deinit {
    PQfinish(raw)
  }

  // MARK: - Opening

  /// Connects and waits for it; may take up to `connect_timeout`.
  static func open(_ configuration: PostgresConfiguration) throws(PostgresError) -> Connection {
    guard let raw = connect(configuration.keywords) else {
      throw PostgresError(code: .connectFailed, message: "out of memory")
    }
    guard PQstatus(raw) == CONNECTION_OK, let cancelHandle = CancelHandle(raw) else {
      let message = PostgresError.lastMessage(of: raw)
      PQfinish(raw)
      throw PostgresError(code: .connectFailed, message: message)
    }
    // By default libpq prints notices to standard error.
    _ = PQsetNoticeProcessor(raw, { _, _ in }, nil)
    let connection = Connection(
      raw: raw, cancelHandle: cancelHandle, preparedStatementLimit: configuration.preparedStatementLimit)
    try connection.setUpSession(configuration)
    return connection
  }

  private static func connect(_ keywords: [Text: Text]) -> OpaquePointer? {
    let pairs = keywords.map { (strdup($0.key.string), strdup($0.value.string)) }
    defer {
      for (key, value) in pairs {
        free(key)
        free(value)
      }
    }
    let keys = pairs.map { UnsafePointer<CChar>($0.0) } + [nil]
    let values = pairs.map { UnsafePointer<CChar>($0.1) } + [nil]
    return PQconnectdbParams(keys, values, 0)
  }

  private func setUpSession(_ configuration: PostgresConfiguration) throws(PostgresError) {
    var script = configuration.sessionStatement.map { $0 + "; " } ?? ""
    script += "SET bytea_output TO hex; SET standard_conforming_strings TO on; SET DateStyle TO ISO"
    if let timeout = configuration.statementTimeout {
      script += "; SET statement_timeout TO \(timeout.wholeMilliseconds)"
    }
    let result = PQexec(raw, script.string)
    defer { PQclear(result) }
    guard PQresultStatus(result) == PGRES_COMMAND_OK, PQenterPipelineMode(raw) == 1 else {
      throw PostgresError(code: .connectFailed, message: PostgresError.lastMessage(of: raw))
    }
  }

  // MARK: - State

  /// The descriptor to watch.
  var descriptor: Int32 { PQsocket(raw) }

  /// Whether an idle connection still works, without a round trip unless something has arrived on it unasked.
  var isAlive: Bool {
    guard PQstatus(raw) == CONNECTION_OK else { return false }
    var entry = pollfd(fd: PQsocket(raw), events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, 0) > 0 else { return true }
    // A changed setting is announced like this as well as the end of the server: only an answer tells them apart.
    guard PQconsumeInput(raw) == 1 else { return false }
    return !run([]).isLost
  }

  /// Forgets all prepared statements.
  func forgetStatements() {
    statements.forgetAll()
  }

  // MARK: - Sending

  /// Puts a statement into the output buffer, preceded by its preparation where necessary.
  ///
  /// - Throws: `PostgresError` when it cannot be sent; nothing of it has been buffered then, or the connection is lost.
  func send(_ sql: SQL, into batch: inout PendingBatch) throws(PostgresError) {
    try binds.load(sql.binds)
    if sql.isUncached { return try sendUncached(sql, into: &batch) }
    let (name, isNew) = statements.name(for: sql.text)
    if isNew {
      guard PQsendPrepare(raw, name.string, sql.rendered.string, 0, nil) == 1 else {
        statements.forget(sql.text)
        throw sendingFailed
      }
      batch.append(.prepare(sql.text))
    }
    let isSent = binds.withArguments { count, values, lengths, formats in
      PQsendQueryPrepared(raw, name.string, count, values, lengths, formats, 0) == 1
    }
    guard isSent else { throw sendingFailed }
    batch.append(.statement)
  }

  private func sendUncached(_ sql: SQL, into batch: inout PendingBatch) throws(PostgresError) {
    let text = sql.rendered
    let isSent = binds.withArguments { count, values, lengths, formats in
      PQsendQueryParams(raw, text.string, count, nil, values, lengths, formats, 0) == 1
    }
    guard isSent else { throw sendingFailed }
    batch.append(.statement)
  }

  /// Buffers the deallocation of statements that fell out of the cache. Not inside a transaction, which it could break.
  func sendDeallocations(into batch: inout PendingBatch) {
    for name in statements.takeSuperfluous() {
      if PQsendQueryParams(raw, "DEALLOCATE \(name)", 0, nil, nil, nil, nil, 0) == 1 {
        batch.append(.deallocate(name))
      }
    }
  }

  /// Whether statements wait to be deallocated.
  var hasDeallocations: Bool { !statements.superfluous.isEmpty }

  /// Ends a batch. Returns false when the connection is lost.
  func sync() -> Bool {
    PQpipelineSync(raw) == 1
  }

  private var sendingFailed: PostgresError {
    PQstatus(raw) == CONNECTION_OK
      ? PostgresError(code: .invalidParameter, message: PostgresError.lastMessage(of: raw))
      : .connectionLost(raw)
  }

  // MARK: - Blocking use

  /// A batch that was sent and whose answers are still to be waited for.
  struct Started {
    fileprivate var batch: PendingBatch
    fileprivate let isWhole: Bool
    fileprivate let isSent: Bool
  }

  /// Sends statements as one batch and waits for all answers.
  ///
  /// - Parameter isCommitting: Whether the batch ends with COMMIT, after which statements may be deallocated.
  func run(_ sqls: [SQL], isCommitting: Bool = false) -> Outcome {
    outcome(of: start(sqls, isCommitting: isCommitting))
  }

  /// Sends two batches at once and waits for the answers to the first one, then for those to the second.
  ///
  /// - Parameter between: Called with the outcome of the first, before the second is waited for.
  /// - Returns: The outcome of the second.
  func run(_ first: [SQL], then second: SQL, between: (Outcome) -> Void) -> Outcome {
    let startedFirst = start(first, isCommitting: true)
    let startedSecond = start([second])
    between(outcome(of: startedFirst))
    return outcome(of: startedSecond)
  }

  /// Sends statements as one batch. Batches are answered in the order in which they were started.
  func start(_ sqls: [SQL], isCommitting: Bool = false) -> Started {
    var batch = PendingBatch()
    var isWhole = true
    do throws(PostgresError) {
      for sql in sqls { try send(sql, into: &batch) }
      if isCommitting { sendDeallocations(into: &batch) }
    } catch {
      batch.fail(error)
      isWhole = false
    }
    return Started(batch: batch, isWhole: isWhole, isSent: sync())
  }

  /// Waits for all answers to a batch.
  func outcome(of started: Started) -> Outcome {
    var batch = started.batch
    let isAnswered = started.isSent && receive(&batch)
    if batch.error?.isStaleStatement == true { statements.forgetAll() }
    return Outcome(
      rows: batch.rows, error: isAnswered ? batch.error : batch.error ?? .connectionLost(raw),
      isLost: !isAnswered || PQstatus(raw) != CONNECTION_OK, isWholeBatchSent: started.isWhole)
  }

  /// Waits for all answers of a batch. Returns false when the connection is lost before the last one.
  private func receive(_ batch: inout PendingBatch) -> Bool {
    var sawEnd = false
    while true {
      guard let result = PQgetResult(raw) else {
        // A statement's results end with one nil. A second one means that nothing is under way any more.
        if sawEnd || PQstatus(raw) != CONNECTION_OK { return false }
        sawEnd = true
        continue
      }
      sawEnd = false
      if batch.accept(result, &statements) { return true }
    }
  }

  // MARK: - Non-blocking use

  /// Makes sending never wait; what does not fit stays in the buffer until ``flush()``.
  func makeNonBlocking() -> Bool {
    PQsetnonblocking(raw, 1) == 0
  }

  /// Writes what is buffered. Returns whether something is left, or nil when the connection is lost.
  func flush() -> Bool? {
    switch PQflush(raw) {
    case 0: false
    case 1: true
    default: nil
    }
  }

  /// Reads what has arrived. Returns false when the connection is lost.
  func consumeInput() -> Bool {
    PQconsumeInput(raw) == 1
  }

  /// Takes the results that are complete. Returns true when the batch has ended.
  func advance(_ batch: inout PendingBatch) -> Bool {
    var sawEnd = false
    while PQisBusy(raw) == 0 {
      guard let result = PQgetResult(raw) else {
        if sawEnd { return false }
        sawEnd = true
        continue
      }
      sawEnd = false
      if batch.accept(result, &statements) { return true }
    }
    return false
  }

  /// Whether libpq still believes in the connection.
  var isOpen: Bool { PQstatus(raw) == CONNECTION_OK }

  /// The error with which everything under way ends.
  var lossError: PostgresError { .connectionLost(raw) }
}

extension Duration {
  /// The duration in milliseconds, rounded down and kept within the range of `Int32`.
  var wholeMilliseconds: Int {
    let (seconds, attoseconds) = components
    guard seconds < 2_000_000 else { return 2_000_000_000 }
    guard seconds >= 0 else { return 0 }
    return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
  }
}
