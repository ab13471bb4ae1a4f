import Logging
import MatrixPrimitives
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import StorageEngine

@Suite("Locks between processes")
struct WorkerLocksTests {
  /// A link that carries announcements between the processes of a test.
  private final class Link: Sendable {
    private let processes = Mutex<[WorkerLocks]>([])

    func connect(_ all: [WorkerLocks]) { processes.withLock { $0 = all } }

    func announce(_ name: Text, _ key: Text) {
      for process in processes.withLock({ $0 }) { process.noteReleased(name, key: key) }
    }
  }

  /// Makes two processes on one database that receive each other's announcements.
  private func processes(_ clock: ServerClock = .test()) async throws -> (WorkerLocks, WorkerLocks, PostgresClient) {
    let client = try await TestDatabase.withSchema().client
    let link = Link()
    let all = ["one", "two"].map { name in
      WorkerLocks(database: client, instanceName: name, clock: clock, logger: .silent) { _, name, key in
        link.announce(name, key)
      }
    }
    link.connect(all)
    return (all[0], all[1], client)
  }

  @Test("A plain lock has one holder until it is given back")
  func plain() async throws {
    let (one, two, client) = try await processes()
    let held = try #require(try await one.tryLock("l", key: "k"))
    #expect(try await two.tryLock("l", key: "k") == nil)
    #expect(try await two.tryLock("l", key: "other") != nil)
    await held.release()
    await held.release()
    #expect(try await two.tryLock("l", key: "k") != nil)
    #expect(try await client.run("SELECT 1 FROM worker_locks").count == 2)
  }

  @Test("A plain lock that was not renewed for two minutes is taken over, a renewed one is not")
  func lifetime() async throws {
    let clock = ServerClock.test()
    let (one, two, _) = try await processes(clock)
    let held = try #require(try await one.tryLock("l", key: "k"))
    clock.advance(milliseconds: 119_000)
    await one.renew()
    clock.advance(milliseconds: 119_000)
    #expect(try await two.tryLock("l", key: "k") == nil)
    clock.advance(milliseconds: 2_000)
    let taken = try #require(try await two.tryLock("l", key: "k"))
    // The former holder does not take away what is no longer its own.
    await held.release()
    #expect(try await one.tryLock("l", key: "k") == nil)
    await taken.release()
  }

  @Test("Readers share a lock, a writer has it alone")
  func readWrite() async throws {
    let (one, two, _) = try await processes()
    let first = try #require(try await one.tryReadWriteLock("l", key: "k", write: false))
    let second = try #require(try await two.tryReadWriteLock("l", key: "k", write: false))
    #expect(try await two.tryReadWriteLock("l", key: "k", write: true) == nil)
    await first.release()
    #expect(try await one.tryReadWriteLock("l", key: "k", write: true) == nil)
    await second.release()
    let writer = try #require(try await one.tryReadWriteLock("l", key: "k", write: true))
    #expect(try await two.tryReadWriteLock("l", key: "k", write: false) == nil)
    #expect(try await two.tryReadWriteLock("l", key: "k", write: true) == nil)
    await writer.release()
    let several = try await two.readWriteLocks([("l", "k"), ("l", "m")], write: true)
    #expect(several.holds.count == 2)
    #expect(try await one.tryReadWriteLock("l", key: "m", write: false) == nil)
    await several.release()
  }

  @Test("Read/write locks of dead processes are removed after two minutes, renewed ones stay")
  func reaping() async throws {
    let clock = ServerClock.test()
    let (one, two, client) = try await processes(clock)
    let dead = try #require(try await one.tryReadWriteLock("l", key: "dead", write: true))
    let alive = try #require(try await two.tryReadWriteLock("l", key: "alive", write: true))
    clock.advance(milliseconds: 60_000)
    await two.renew()
    clock.advance(milliseconds: 61_000)
    await two.reap()
    #expect(
      try await client.run("SELECT lock_key FROM worker_read_write_locks").map { try $0.get(0, as: Text.self) } == [
        "alive"
      ])
    #expect(try await client.run("SELECT lock_key FROM worker_read_write_locks_mode").count == 1)
    #expect(try await two.tryReadWriteLock("l", key: "dead", write: false) != nil)
    await dead.release()
    await alive.release()
  }

  private final class Crowd: Sendable {
    let inside = Atomic<Int>(0)
    let total = Atomic<Int>(0)
  }

  @Test("Many who want a lock have it one after the other, within a process too", arguments: [true, false])
  func mutualExclusion(isPlain: Bool) async throws {
    let (one, two, _) = try await processes(.system)
    let crowd = Crowd()
    let pass: @Sendable () async -> Void = {
      #expect(crowd.inside.add(1, ordering: .sequentiallyConsistent).newValue == 1)
      await Task.yield()
      crowd.inside.subtract(1, ordering: .sequentiallyConsistent)
      crowd.total.add(1, ordering: .sequentiallyConsistent)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<8 {
        let locks = number.isMultiple(of: 2) ? one : two
        group.addTask {
          if isPlain {
            try await locks.withLock("l", key: "k", pass)
          } else {
            try await locks.withReadWriteLock("l", key: "k", write: true, pass)
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(crowd.total.load(ordering: .sequentiallyConsistent) == 8)
  }

  @Test("Whoever waits for a lock stops when cancelled, and the lock is given back when the body throws")
  func cancellation() async throws {
    struct Failed: Error {}
    let (one, two, _) = try await processes()
    let held = try await one.lock("l", key: "k")
    let waiter = Task { try await two.lock("l", key: "k") }
    waiter.cancel()
    await #expect(throws: (any Error).self) { try await waiter.value }
    await held.release()
    await #expect(throws: Failed.self) { try await one.withLock("l", key: "k") { throw Failed() } }
    #expect(try await two.tryLock("l", key: "k") != nil)
  }
}
