import Glibc
import Logging

/// Runs transactions on threads of which each holds one connection. Threads are added while work waits and leave when idle.
///
/// `@unchecked Sendable`: everything mutable is touched only while `condition` is locked.
final class ConnectionPool: @unchecked Sendable {
  struct Job {
    let ticket: JobTicket
    let deadline: ContinuousClock.Instant
    let work: @Sendable (WorkerSession) -> Void
  }

  private let configuration: PostgresConfiguration
  private let counters: Counters
  private let logger: Logger
  private let stopping = StopFlag()

  private let condition = BlockingCondition()
  private var jobs = FIFO<Job>()
  private var threads = 0
  private var busyThreads = 0
  private var isWatchingDeadlines = false
  private var lastConnectError: PostgresError?
  private var onEmpty: [@Sendable () -> Void] = []
  private let companions: Companions

  init(_ configuration: PostgresConfiguration, counters: Counters, logger: Logger) {
    self.configuration = configuration
    self.counters = counters
    self.logger = logger
    companions = Companions(limit: configuration.maximumConnections / 3)
  }

  /// The number of transactions that wait for a connection.
  var waiting: Int {
    condition.lock()
    defer { condition.unlock() }
    return jobs.count
  }

  /// Starts the threads that are always there; the first of them takes over a connection.
  func start(with connection: Connection) {
    counters.connections.wrappingAdd(1, ordering: .relaxed)
    condition.lock()
    defer { condition.unlock() }
    spawn(with: connection)
    while threads < configuration.minimumConnections { spawn(with: nil) }
  }

  /// Queues work. What cannot be queued fails at once.
  func submit(_ ticket: JobTicket, _ work: @escaping @Sendable (WorkerSession) -> Void) {
    condition.lock()
    guard !stopping.isSet, jobs.count < configuration.maximumWaiting else {
      condition.unlock()
      ticket.giveUp(stopping.isSet ? .shutDown : .tooMuchWaiting)
      return
    }
    jobs.append(Job(ticket: ticket, deadline: .now + configuration.waitTimeout, work: work))
    if jobs.count > threads - busyThreads {
      if connections < configuration.maximumConnections { spawn(with: nil) }
      watchDeadlines()
    }
    condition.signal()
    condition.unlock()
  }

  /// Refuses new work, lets the transactions under way end, and calls the closure when all connections are closed.
  func stop(_ whenStopped: @escaping @Sendable () -> Void) {
    condition.lock()
    stopping.set()
    let abandoned = jobs.takeAll()
    let isEmpty = threads == 0
    if !isEmpty { onEmpty.append(whenStopped) }
    condition.broadcast()
    condition.unlock()
    companions.close()
    for job in abandoned { job.ticket.giveUp(.shutDown) }
    if isEmpty { whenStopped() }
  }

  // MARK: - Threads

  /// The number of connections, those that threads do not have yet included. Called with the lock held.
  private var connections: Int { threads + companions.count }

  /// Tells whether another connection may be opened beside those of the threads; an idle thread goes to make room for it.
  private func makeRoomForCompanion() -> Bool {
    condition.lock()
    defer { condition.unlock() }
    guard connections > configuration.maximumConnections else { return true }
    guard threads > busyThreads else { return false }
    condition.signal()
    return true
  }

  /// Adds a thread. Called with the lock held.
  private func spawn(with connection: Connection?) {
    threads += 1
    BlockingThread.start("pg-worker", stackSize: 2 << 20) { [self] in
      let session = WorkerSession(
        connection: connection, configuration: configuration, counters: counters, logger: logger, stopping: stopping,
        lender: CompanionLender(companions: companions) { [unowned self] in makeRoomForCompanion() })
      serve(session)
    }
  }

  private func serve(_ session: WorkerSession) {
    while true {
      // Work stays in the queue while the database is away: it is taken only by a thread that can serve it.
      guard let connection = try? session.ready(until: nil, onFailure: { noteFailure($0) }), let job = nextJob() else {
        break
      }
      session.dropIfDead()
      // A connection that died is replaced inside the run, where its failure can be told to whoever waits.
      if job.ticket.begin((session.connection ?? connection).cancelHandle) { job.work(session) }
      condition.lock()
      busyThreads -= 1
      condition.unlock()
    }
    session.discard()
    leave()
  }

  private func noteFailure(_ error: PostgresError) {
    condition.lock()
    lastConnectError = error
    condition.unlock()
  }

  /// Waits for work. Returns nil when the thread is to end: at shutdown, or idle for too long and not needed.
  private func nextJob() -> Job? {
    let limit = ContinuousClock.now + configuration.idleTimeout
    condition.lock()
    defer { condition.unlock() }
    lastConnectError = nil
    while true {
      if let job = jobs.popFirst() {
        busyThreads += 1
        return job
      }
      if stopping.isSet || connections > configuration.maximumConnections { return nil }
      guard threads > configuration.minimumConnections else {
        condition.wait()
        continue
      }
      if !condition.wait(for: limit - .now), jobs.isEmpty, threads > configuration.minimumConnections { return nil }
    }
  }

  private func leave() {
    condition.lock()
    threads -= 1
    // Work may have come in the moment in which this thread decided to go.
    if !stopping.isSet, !jobs.isEmpty, threads == 0 { spawn(with: nil) }
    let callbacks = threads == 0 && stopping.isSet ? onEmpty : []
    if !callbacks.isEmpty { onEmpty = [] }
    condition.unlock()
    for callback in callbacks { callback() }
  }

  // MARK: - Deadlines

  /// Starts a thread that ends the waiting of those whose time is up, and leaves when nobody waits. Called with the lock
  /// held.
  private func watchDeadlines() {
    guard !isWatchingDeadlines else { return }
    isWatchingDeadlines = true
    BlockingThread.start("pg-deadlines") { [self] in
      while expireOverdue() { BlockingThread.sleep(for: .milliseconds(20)) }
    }
  }

  private func expireOverdue() -> Bool {
    condition.lock()
    var overdue: [Job] = []
    let now = ContinuousClock.now
    // All jobs wait equally long, so the first in the queue is the first whose time is up.
    while let job = jobs.first, job.deadline <= now {
      overdue.append(job)
      _ = jobs.popFirst()
    }
    let goesOn = !jobs.isEmpty
    isWatchingDeadlines = goesOn
    let cause = lastConnectError
    condition.unlock()
    for job in overdue { job.ticket.giveUp(.timeout(configuration.waitTimeout, cause)) }
    return goesOn
  }
}

extension PostgresError {
  static let shutDown = PostgresError(code: .shutDown, message: "the database client has been shut down")
  static let tooMuchWaiting = PostgresError(code: .poolTimeout, message: "too much waits for a connection already")

  static func timeout(_ limit: Duration, _ cause: PostgresError?) -> PostgresError {
    let reason = cause.map { "; the database cannot be reached: \($0.message)" } ?? ""
    return PostgresError(code: .poolTimeout, message: "no connection became free within \(limit)\(reason)")
  }
}
