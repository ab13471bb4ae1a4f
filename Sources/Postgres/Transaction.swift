/// The statements of one transaction. Valid only inside the closure it was handed to, on that thread.
///
/// BEGIN travels with the first batch and COMMIT with what is enqueued at the end, so a transaction that only enqueues costs
/// one round trip. The first error ends the transaction: everything after it fails with the same error, and nothing is kept.
public final class Transaction {
  private let connection: Connection
  private let isolation: IsolationLevel
  private let isReadOnly: Bool
  private let ticket: JobTicket
  private let session: WorkerSession
  private var counters: Counters { session.counters }
  private var pending: [SQL] = []
  private var beside: [SecondTransaction] = []
  private var hasRunBeside = false
  private var hasBegun = false
  private var isOver = false
  private var hooks: [(body: @Sendable () -> Void, runsWhenUnknown: Bool)] = []
  /// The error that ended the transaction.
  private(set) var failure: PostgresError?
  /// Whether the connection broke.
  private(set) var hasLostConnection = false
  /// Whether this is not the first attempt. What ``runBeside(_:)`` was given in an earlier one may have been stored.
  public let isRepeated: Bool
  private var orphanHooks: [@Sendable () -> Void] = []
  private var mayLeaveOrphans = false

  init(
    connection: Connection, isolation: IsolationLevel, isReadOnly: Bool, isRepeated: Bool, ticket: JobTicket,
    session: WorkerSession
  ) {
    self.connection = connection
    self.isolation = isolation
    self.isReadOnly = isReadOnly
    self.isRepeated = isRepeated
    self.ticket = ticket
    self.session = session
  }

  /// Runs a statement and returns its rows, in one round trip together with everything enqueued before.
  ///
  /// - Throws: `PostgresError`; also for an error in what was enqueued.
  public func query(_ sql: SQL) throws(PostgresError) -> PostgresRows {
    let rows = try pipeline([sql])
    guard let last = rows.last else { throw PostgresError(code: .connectionLost, message: "no answer") }
    return last
  }

  /// Runs a statement and returns the number of rows it affected, in one round trip.
  ///
  /// - Throws: `PostgresError`; also for an error in what was enqueued.
  @discardableResult
  public func execute(_ sql: SQL) throws(PostgresError) -> Int {
    try query(sql).affectedRows
  }

  /// Adds a statement to what goes out with the next round trip or with COMMIT. Its rows are dropped; its error surfaces
  /// there.
  public func enqueue(_ sql: SQL) {
    pending.append(sql)
  }

  /// Adds a condition to what goes out with the next round trip or with COMMIT. Unless it is true by then, the transaction fails and
  /// ``PostgresClient/transaction(_:isolation:readOnly:whenVisible:_:)`` throws the error.
  ///
  /// - Parameters:
  ///   - condition: a Boolean expression; it may be a subquery, and lock the rows that it finds.
  ///   - refusal: what to throw; of several requirements that of the first that does not hold.
  public func require(_ condition: SQL, otherwise refusal: any Error) {
    enqueue(.requirement(condition, otherwise: refusal))
  }

  /// Has the statements of this transaction planned once for all values, and by their indexes.
  ///
  /// For statements that are the same each time and find their rows by keys: planning them anew would cost as much as they do, and a plan for
  /// ten unknown keys would read the whole of a table that has only some hundred rows.
  public func planOnceByIndexes() {
    enqueue(
      """
      SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)
      """)
  }

  /// Runs a statement in another transaction, on a connection of its own, from now on: the server works on both at the
  /// same time. At most ``mostBeside`` are under way.
  ///
  /// That transaction is committed just before this one, and only if nothing of this one has failed. When one of several
  /// fails, or the server or this process dies between the commits, what was committed first is orphaned: a caller must be
  /// able to find such orphans (``ifOrphaned(_:)``). The statement sees nothing of what this transaction writes, and is planned once
  /// for all values. It becomes part of this transaction instead when no connection is free for it or this is a repeated attempt.
  ///
  /// The server takes the two for strangers, so it does not notice when one waits for a lock of the other, or of a pair that waits for
  /// this one. Therefore, from the first use on, no statement of either waits longer than a second for a lock; when that is over, the
  /// transaction is run again, by itself and without such a limit.
  public func runBeside(_ sql: SQL) {
    guard !isRepeated, failure == nil, !isOver, beside.count < Self.mostBeside,
      let companion = session.borrowCompanion()
    else { return enqueue(sql) }
    if !hasRunBeside { enqueue(Self.lockLimit) }
    hasRunBeside = true
    beside.append(SecondTransaction([isolation.begin(readOnly: false), sql], on: companion, counters: counters))
  }

  /// Calls a closure when this transaction has failed, or may have, while what was written beside it may be stored.
  /// It is called on the connection's thread, also when a further attempt follows.
  public func ifOrphaned(_ body: @escaping @Sendable () -> Void) {
    orphanHooks.append(body)
  }

  /// Runs statements one after the other in a single round trip and returns the rows of each.
  ///
  /// - Throws: `PostgresError` of the first that failed, those enqueued before included.
  public func pipeline(_ sqls: [SQL]) throws(PostgresError) -> [PostgresRows] {
    try checkUsable()
    var batch = takeBatch()
    let unwanted = batch.count
    batch.append(contentsOf: sqls)
    guard !batch.isEmpty else { return [] }
    let outcome = run(batch, isCommitting: false)
    if let error = outcome.error { throw error }
    return Array(outcome.rows.dropFirst(unwanted))
  }

  /// Calls a closure after the transaction was committed and before `transaction` returns. Closures are called in the
  /// order in which they were added, on the connection's thread, so they must be short. Dropped on rollback and retry.
  ///
  /// - Parameters:
  ///   - orUnknown: whether it is also called when the transaction may have been committed (`commitOutcomeUnknown`).
  ///   - body: what to do.
  public func afterCommit(orUnknown: Bool = false, _ body: @escaping @Sendable () -> Void) {
    hooks.append((body, orUnknown))
  }

  // MARK: - For the runner

  /// Commits. An error leaves nothing stored, but for the code `commitOutcomeUnknown`.
  ///
  /// - Parameter whenVisible: Called as soon as others see the changes, while the server still writes them to disk; nil leaves
  ///   no time between the two.
  func commit(whenVisible: (() -> Void)? = nil) throws(PostgresError) {
    try checkUsable()
    isOver = true
    guard hasBegun || !pending.isEmpty || !beside.isEmpty else { return }
    if whenVisible != nil { pending.insert("SET LOCAL synchronous_commit TO off", at: 0) }
    try commitBeside()
    guard let whenVisible else {
      let batch = takeBatch() + ["COMMIT"]
      return try check(run(batch, isCommitting: true), of: batch)
    }
    let batch = takeBatch() + ["COMMIT"]
    counters.countRoundTrip(statements: batch.count + 1)
    var visible: Result<Void, PostgresError> = .success(())
    let flushed = connection.run(batch, then: Self.flush) { outcome in
      let noted = note(outcome, of: batch)
      visible = Result { () throws(PostgresError) in try check(noted, of: batch) }
      if case .success = visible { whenVisible() }
    }
    try visible.get()
    guard let error = note(flushed, of: [Self.flush]).error else { return }
    // Others have seen the changes, but a server that has crashed since may have lost them.
    throw unknownOutcome(error)
  }

  /// Runs everything but this transaction's COMMIT, and commits what was written beside it.
  private func commitBeside() throws(PostgresError) {
    guard !beside.isEmpty else { return }
    // An error leaves the others to `rollBack()`. From here on nothing but the commits can fail.
    if let error = run(takeBatch(), isCommitting: false).error { throw error }
    var others = beside
    beside = []
    for place in others.indices { others[place].startCommit() }
    var firstError: PostgresError?
    for other in others {
      let end = other.end()
      if end.mayBeStored { mayLeaveOrphans = true }
      firstError = firstError ?? end.error
      session.giveBackCompanion(other.connection)
    }
    guard let firstError else { return }
    failure = firstError
    throw firstError
  }

  /// The limit on transactions beside one.
  public static let mostBeside = 2
  /// How long a companion's session waits for a lock.
  static let companionLockLimit: SQL = "SET lock_timeout TO '1s'"
  /// How long a transaction waits for a lock while another one runs beside it.
  private static let lockLimit: SQL = "SET LOCAL lock_timeout TO '1s'"
  /// Whether the transaction failed because it, or what ran beside it, waited too long for a lock.
  var hasWaitedTooLong: Bool { hasRunBeside && failure?.isLockTimeout == true }
  /// A statement whose own commit brings everything that was committed before on its session to disk.
  static let flush: SQL = "SELECT pg_logical_emit_message(true, 'flush', '')"

  /// Makes the commit wait for the disk even where nothing was written, so that what the transaction has seen is on
  /// disk, too.
  public func flushWhatIsSeen() { enqueue(Self.flush) }

  private func check(_ outcome: Connection.Outcome, of batch: [SQL]) throws(PostgresError) {
    guard let error = outcome.error else {
      if outcome.rows.last?.handle.commandTag == "COMMIT" { return }
      // The server answers ROLLBACK to the COMMIT of a transaction that had failed.
      let error = PostgresError(code: .server, message: "the transaction was rolled back by the server")
      failure = error
      throw error
    }
    // A last word from the server (with a code) about a statement before COMMIT shows that COMMIT was not reached.
    let mayHaveCommitted = outcome.rows.count >= batch.count - 1 || error.sqlState == nil
    if outcome.isLost, outcome.isWholeBatchSent, error.code == .connectionLost, mayHaveCommitted, !isReadOnly {
      throw unknownOutcome(error)
    }
    throw error
  }

  private func unknownOutcome(_ error: PostgresError) -> PostgresError {
    var unknown = error
    unknown.code = .commitOutcomeUnknown
    failure = unknown
    return unknown
  }

  /// Undoes everything. Returns false when the connection is of no more use.
  func rollBack() -> Bool {
    isOver = true
    pending = []
    for other in beside {
      other.undo()
      session.giveBackCompanion(other.connection)
    }
    beside = []
    guard !hasLostConnection else { return false }
    guard hasBegun else { return true }
    let outcome = connection.run([SQL(stringLiteral: "ROLLBACK").uncached()])
    counters.countRoundTrip(statements: 1)
    return !outcome.isLost && outcome.error == nil
  }

  /// Calls the closures that wait for the commit, once; only those that are content with a possible one when that is all.
  func runHooks() {
    let isUnknown = failure?.code == .commitOutcomeUnknown
    let due = hooks
    hooks = []
    for hook in due where hook.runsWhenUnknown || !isUnknown { hook.body() }
  }

  /// Calls the closures that clean up orphans, if there may be any.
  func runOrphanHooks() {
    guard mayLeaveOrphans else { return }
    for hook in orphanHooks { hook() }
  }

  private func checkUsable() throws(PostgresError) {
    if let failure { throw failure }
    guard !isOver else { throw PostgresError(code: .invalidParameter, message: "the transaction is over") }
    guard !ticket.isCancelled else {
      throw PostgresError(code: .cancelled, message: "cancelled between two statements")
    }
  }

  private func takeBatch() -> [SQL] {
    defer { pending = [] }
    guard !hasBegun else { return pending }
    hasBegun = true
    return [isolation.begin(readOnly: isReadOnly)] + pending
  }

  private func run(_ batch: [SQL], isCommitting: Bool) -> Connection.Outcome {
    counters.countRoundTrip(statements: batch.count)
    return note(connection.run(batch, isCommitting: isCommitting), of: batch)
  }

  private func note(_ outcome: Connection.Outcome, of batch: [SQL]) -> Connection.Outcome {
    var outcome = outcome
    if outcome.isLost { hasLostConnection = true }
    if outcome.error?.sqlState == "57014", ticket.isCancelled { outcome.error?.code = .cancelled }
    // As many statements have answered as stand before the one that failed.
    if outcome.error?.isDivisionByZero == true, batch.indices.contains(outcome.rows.count) {
      outcome.error?.refusal = batch[outcome.rows.count].refusal
    }
    if let error = outcome.error { failure = error }
    return outcome
  }
}
