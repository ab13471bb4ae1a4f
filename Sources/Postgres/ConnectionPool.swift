import Glibc
import Logging
import Threads

/// The threads that run transactions, each with one connection. Threads are added while work waits and leave when idle.
///
/// Work goes to the thread that has been idle for the shortest time: what it and its server process need is still in the
/// processor's caches, and those that are not needed come to their idle limit.
///
/// `@unchecked Sendable`: everything mutable is touched only while `lock` is locked.
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

  /// A thread that waits for work.
  private final class Sleeper {
    let condition: BlockingCondition
    var isWoken = false

    init(_ lock: BlockingCondition) { condition = BlockingCondition(sharingLockOf: lock) }
  }

  private let lock = BlockingCondition()
  /// The threads that wait, the one that has waited longest first.
  private var sleepers: [Sleeper] = []
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
    lock.lock()
    defer { lock.unlock() }
    return jobs.count
  }

  /// Starts the threads that are always there; the first of them takes over a connection.
  func start(with connection: Connection) {
    counters.connections.wrappingAdd(1, ordering: .relaxed)
    lock.lock()
    defer { lock.unlock() }
    spawn(with: connection)
    while threads < configuration.minimumConnections { spawn(with: nil) }
  }

  /// Queues work. What cannot be queued fails at once.
  func submit(_ ticket: JobTicket, _ work: @escaping @Sendable (WorkerSession) -> Void) {
    lock.lock()
    guard !stopping.isSet, jobs.count < configuration.maximumWaiting else {
      lock.unlock()
      ticket.giveUp(stopping.isSet ? .shutDown : .tooMuchWaiting)
      return
    }
    jobs.append(Job(ticket: ticket, deadline: .now + configuration.waitTimeout, work: work))
    if jobs.count > threads - busyThreads {
      if connections < configuration.maximumConnections { spawn(with: nil) }
      watchDeadlines()
    }
    if let sleeper = sleepers.popLast() { wake(sleeper) }
    lock.unlock()
  }

  /// Refuses new work, lets the transactions under way end, and calls the closure when all connections are closed.
  func stop(_ whenStopped: @escaping @Sendable () -> Void) {
    lock.lock()
    stopping.set()
    let abandoned = jobs.takeAll()
    let isEmpty = threads == 0
    if !isEmpty { onEmpty.append(whenStopped) }
    for sleeper in sleepers { wake(sleeper) }
    sleepers = []
    lock.unlock()
    companions.close()
    for job in abandoned { job.ticket.giveUp(.shutDown) }
    if isEmpty { whenStopped() }
  }

  // MARK: - Threads

  /// The number of connections, those that threads do not have yet included. Called with the lock held.
  private var connections: Int { threads + companions.count }

  /// Returns whether another connection may be opened beside those of the threads; an idle thread goes to make room for
  /// it.
  private func makeRoomForCompanion() -> Bool {
    lock.lock()
    defer { lock.unlock() }
    guard connections > configuration.maximumConnections else { return true }
    guard threads > busyThreads else { return false }
    if !sleepers.isEmpty { wake(sleepers.removeFirst()) }
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
    let sleeper = Sleeper(lock)
    while true {
      // Work stays in the queue while the database is away: it is taken only by a thread that can serve it.
      guard let connection = try? session.ready(until: nil, onFailure: { noteFailure($0) }), let job = nextJob(sleeper)
      else {
        break
      }
      session.dropIfDead()
      // A connection that died is replaced inside the run, where its failure can be reported to the waiting caller.
      if job.ticket.begin((session.connection ?? connection).cancelHandle) { job.work(session) }
      lock.lock()
      busyThreads -= 1
      lock.unlock()
    }
    session.discard()
    leave()
  }

  private func noteFailure(_ error: PostgresError) {
    lock.lock()
    lastConnectError = error
    lock.unlock()
  }

  /// Waits for work. Returns nil when the thread is to end: at shutdown, or idle for too long and not needed.
  private func nextJob(_ sleeper: Sleeper) -> Job? {
    let limit = ContinuousClock.now + configuration.idleTimeout
    lock.lock()
    defer { lock.unlock() }
    lastConnectError = nil
    while true {
      if let job = jobs.popFirst() {
        busyThreads += 1
        return job
      }
      if stopping.isSet || connections > configuration.maximumConnections { return nil }
      let isInTime = sleep(sleeper, until: threads > configuration.minimumConnections ? limit : nil)
      if !isInTime, jobs.isEmpty, threads > configuration.minimumConnections { return nil }
    }
  }

  /// Waits to be woken; returns false when the time was up before. Called with the lock held.
  private func sleep(_ sleeper: Sleeper, until limit: ContinuousClock.Instant?) -> Bool {
    sleeper.isWoken = false
    sleepers.append(sleeper)
    while !sleeper.isWoken {
      guard let limit else {
        sleeper.condition.wait()
        continue
      }
      if !sleeper.condition.wait(for: limit - .now), !sleeper.isWoken {
        sleepers.removeAll { $0 === sleeper }
        return false
      }
    }
    return true
  }

  /// Wakes a thread that was taken off the list. Called with the lock held.
  private func wake(_ sleeper: Sleeper) {
    sleeper.isWoken = true
    sleeper.condition.signal()
  }

  private func leave() {
    lock.lock()
    threads -= 1
    // Work may have come in the moment in which this thread decided to go.
    if !stopping.isSet, !jobs.isEmpty, threads == 0 { spawn(with: nil) }
    let callbacks = threads == 0 && stopping.isSet ? onEmpty : []
    if !callbacks.isEmpty { onEmpty = [] }
    lock.unlock()
    for callback in callbacks { callback() }
  }

  // MARK: - Deadlines

  /// Starts a thread that ends overdue waits, and ends when there is none. Called with the lock
  /// held.
  private func watchDeadlines() {
    guard !isWatchingDeadlines else { return }
    isWatchingDeadlines = true
    BlockingThread.start("pg-deadlines") { [self] in
      while expireOverdue() { BlockingThread.sleep(for: .milliseconds(20)) }
    }
  }

  private func expireOverdue() -> Bool {
    lock.lock()
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
    lock.unlock()
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
