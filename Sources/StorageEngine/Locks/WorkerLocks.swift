import Logging
import MatrixPrimitives
import Postgres
import Synchronization

/// The locks that exclude other processes on the same database, in Synapse's tables, so that its processes respect them
/// too.
///
/// A plain lock (`worker_locks`) has one holder. A read/write lock (`worker_read_write_locks`) has one writer or many readers;
/// triggers and constraints of the table see to it. Locks are renewed every 30 s by ``run()`` and run out after two minutes.
public final class WorkerLocks: Sendable {
  /// A closure that informs other processes that a lock is free: the `LOCK_RELEASED` command with instance name, lock
  /// name and key.
  public typealias Announcement = @Sendable (_ instanceName: Text, _ lockName: Text, _ lockKey: Text) -> Void

  /// The time after which a lock that was not renewed no longer counts, in milliseconds.
  static let lifetimeMilliseconds: Int64 = 120_000
  private static let renewalPeriod: Duration = .seconds(30)
  private static let reapPeriod: Duration = .seconds(12)

  private struct Waiter {
    let name: Text
    let key: Text
    let continuation: CheckedContinuation<Void, Never>
  }

  private struct State {
    var held: Set<WorkerLock.Hold> = []
    var waiters: [UInt64: Waiter] = [:]
    var lastWaiter: UInt64 = 0
  }

  private let database: PostgresClient
  private let instanceName: Text
  /// The holder's name in the tables; another one at every start, so that a restarted process is not taken for itself.
  private let instanceID: Text
  private let clock: ServerClock
  private let logger: Logger
  private let announce: Announcement
  private let state = Mutex(State())

  /// Makes an object that holds no lock yet.
  ///
  /// - Parameters:
  ///   - database: Has the tables of locks.
  ///   - instanceName: The name of this process, for announcements.
  ///   - clock: Tells when locks run out.
  ///   - logger: Told when a lock cannot be renewed or given back.
  ///   - announce: Tells other processes that a lock is free; called just after the lock was dropped.
  public init(
    database: PostgresClient, instanceName: Text, clock: ServerClock, logger: Logger,
    announce: @escaping Announcement
  ) {
    self.database = database
    self.instanceName = instanceName
    instanceID = RandomString.letters(20)
    self.clock = clock
    self.logger = logger
    self.announce = announce
  }

  // MARK: - Taking

  /// Takes a plain lock if it is free.
  ///
  /// - Returns: The lock, or nil when it is held.
  /// - Throws: `PostgresError` when the database fails.
  public func tryLock(_ name: Text, key: Text) async throws -> WorkerLock? {
    try await tryAll([(name, key)], kind: .plain)
  }

  /// Takes a read or write lock if no other holder excludes it.
  public func tryReadWriteLock(_ name: Text, key: Text, write: Bool) async throws -> WorkerLock? {
    try await tryAll([(name, key)], kind: write ? .write : .read)
  }

  /// Takes a plain lock and waits for it as long as necessary.
  ///
  /// - Throws: `CancellationError` when the task is cancelled, or `PostgresError`.
  public func lock(_ name: Text, key: Text) async throws -> WorkerLock {
    try await waitForAll([(name, key)], kind: .plain)
  }

  /// Takes a read or write lock and waits for it as long as necessary.
  public func readWriteLock(_ name: Text, key: Text, write: Bool) async throws -> WorkerLock {
    try await waitForAll([(name, key)], kind: write ? .write : .read)
  }

  /// Takes several read or write locks, all or none, and waits for them as long as necessary.
  public func readWriteLocks(_ locks: [(name: Text, key: Text)], write: Bool) async throws -> WorkerLock {
    try await waitForAll(locks, kind: write ? .write : .read)
  }

  /// Runs a closure while a plain lock is held.
  public func withLock<R: Sendable>(
    _ name: Text, key: Text, _ body: @Sendable () async throws -> R
  ) async throws -> R {
    try await hold(try await lock(name, key: key), body)
  }

  /// Runs a closure while a read or write lock is held.
  public func withReadWriteLock<R: Sendable>(
    _ name: Text, key: Text, write: Bool, _ body: @Sendable () async throws -> R
  ) async throws -> R {
    try await hold(try await readWriteLock(name, key: key, write: write), body)
  }

  private func hold<R: Sendable>(_ lock: WorkerLock, _ body: @Sendable () async throws -> R) async throws -> R {
    do {
      let result = try await body()
      await lock.release()
      return result
    } catch {
      await lock.release()
      throw error
    }
  }

  /// Wakes those who wait for a lock; called when another process announced that it is free.
  public func noteReleased(_ name: Text, key: Text) {
    let woken = state.withLock { state in
      let numbers = state.waiters.filter { $0.value.name == name && $0.value.key == key }.map(\.key)
      return numbers.compactMap { state.waiters.removeValue(forKey: $0)?.continuation }
    }
    for continuation in woken { continuation.resume() }
  }

  private func tryAll(_ names: [(name: Text, key: Text)], kind: WorkerLock.Kind) async throws -> WorkerLock? {
    let holds = names.map { WorkerLock.Hold(name: $0.name, key: $0.key, token: RandomString.letters(6), kind: kind) }
    // The table lets a process take a plain lock that it has already, so within the process it is excluded here.
    let isFree = state.withLock { state in
      if kind == .plain, state.held.contains(where: { held in holds.contains { $0.isSamePlainLock(as: held) } }) {
        return false
      }
      state.held.formUnion(holds)
      return true
    }
    guard isFree else { return nil }
    do {
      if try await take(holds, kind) { return WorkerLock(holds: holds, locks: self) }
      forget(holds)
      return nil
    } catch {
      forget(holds)
      throw error
    }
  }

  private func forget(_ holds: [WorkerLock.Hold]) {
    state.withLock { $0.held.subtract(holds) }
  }

  private func take(_ holds: [WorkerLock.Hold], _ kind: WorkerLock.Kind) async throws -> Bool {
    let (now, instanceID) = (clock.nowMilliseconds, instanceID)
    if kind == .plain {
      guard let hold = holds.first else { return true }
      return try await database.run(LockStatements.takePlain(hold, instanceID, now)).affectedRows == 1
    }
    do {
      // Readers insert without waiting for each other; any violated constraint means that somebody excludes this lock.
      try await database.transaction("take read/write locks", isolation: .readCommitted) { txn in
        for hold in holds { txn.enqueue(LockStatements.takeReadWrite(hold, instanceID, now)) }
      }
      return true
    } catch let error as PostgresError where error.isIntegrityViolation {
      return false
    }
  }

  private func waitForAll(_ names: [(name: Text, key: Text)], kind: WorkerLock.Kind) async throws -> WorkerLock {
    var pause = 0.1
    while true {
      try Task.checkCancellation()
      if let lock = try await tryAll(names, kind: kind) { return lock }
      await waitForRelease(of: names, atMost: pause * Double.random(in: 0.9...1.1))
      pause = min(pause * 2, 5)
    }
  }

  /// Waits until one of the locks is announced to be free, at most for a number of seconds.
  private func waitForRelease(of names: [(name: Text, key: Text)], atMost seconds: Double) async {
    await withTaskGroup(of: Void.self) { group in
      for (name, key) in names { group.addTask { await self.waitForAnnouncement(name, key) } }
      // Cancellation ends the sleep early, which is what is wanted.
      group.addTask { try? await Task.sleep(for: .seconds(seconds)) }
      await group.next()
      group.cancelAll()
    }
  }

  private func waitForAnnouncement(_ name: Text, _ key: Text) async {
    let number = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isCancelled = state.withLock { state in
          if !Task.isCancelled { state.waiters[number] = Waiter(name: name, key: key, continuation: continuation) }
          return Task.isCancelled
        }
        if isCancelled { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.continuation.resume()
    }
  }

  // MARK: - Giving back

  /// Gives several locks back in one transaction; those that have been given back are left out.
  public func release(_ locks: [WorkerLock]) async {
    let holds = locks.filter { $0.claimRelease() }.flatMap(\.holds)
    guard !holds.isEmpty else { return }
    // The lock has to be given back although the task that held it is being cancelled, and although the table's triggers let the
    // statement collide with those of others who want the lock: a transaction is run again then.
    let task = Task {
      try await self.database.transaction("give back locks", isolation: .readCommitted) { txn in
        for hold in holds { txn.enqueue(LockStatements.drop(hold)) }
      }
    }
    do {
      try await task.value
    } catch {
      logger.warning("cannot give back a lock; it runs out in two minutes", metadata: ["error": "\(error)"])
    }
    forget(holds)
    // Synapse announces just before it deletes, so that a waiter may look too early; after is better, and waiters notice it just as well.
    for hold in holds {
      announce(instanceName, hold.name, hold.key)
      noteReleased(hold.name, key: hold.key)
    }
  }

  /// Renews the locks that are held, and removes read/write locks of processes that died; ends when the task is cancelled.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.repeating(Self.renewalPeriod) { await self.renew() } }
      group.addTask { await self.repeating(Self.reapPeriod) { await self.reap() } }
    }
  }

  private func repeating(_ period: Duration, _ body: @Sendable () async -> Void) async {
    while (try? await Task.sleep(for: period)) != nil { await body() }
  }

  func renew() async {
    let holds = state.withLock { Array($0.held) }
    guard !holds.isEmpty else { return }
    let now = clock.nowMilliseconds
    do {
      for isPlain in [true, false] {
        let concerned = holds.filter { ($0.kind == .plain) == isPlain }
        if !concerned.isEmpty { try await database.run(LockStatements.renew(concerned, isPlain: isPlain, now)) }
      }
    } catch {
      logger.warning("cannot renew locks", metadata: ["error": "\(error)"])
    }
  }

  func reap() async {
    do {
      let oldest = clock.nowMilliseconds - Self.lifetimeMilliseconds
      let removed = try await database.run(LockStatements.reap(olderThan: oldest)).affectedRows
      if removed > 0 { logger.info("removed locks of dead processes", metadata: ["count": "\(removed)"]) }
    } catch {
      logger.warning("cannot remove locks of dead processes", metadata: ["error": "\(error)"])
    }
  }
}
