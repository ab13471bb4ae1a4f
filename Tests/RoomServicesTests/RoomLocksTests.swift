import MatrixPrimitives
import StorageEngine
import Synchronization
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite("Locks of rooms")
struct RoomLocksTests {
  private let room = RoomID(unchecked: "!room:test")

  /// Makes the locks of two processes on one database, without announcements: waiting is then by looking again.
  private func processes() async throws -> (ours: WorkerLocks, other: WorkerLocks) {
    let client = try await TestDatabase.withSchema().client
    func make(_ name: Text) -> WorkerLocks {
      WorkerLocks(database: client, instanceName: name, clock: .test(), logger: .silent) { _, _, _ in }
    }
    return (make("ours"), make("other"))
  }

  private func write(_ locks: WorkerLocks) async throws -> WorkerLock? {
    try await locks.tryReadWriteLock(RoomLocks.name, key: room.rawValue, write: true)
  }

  @Test("A lock is shared by all uses, kept for a while after them, and then given back")
  func sharing() async throws {
    let (ours, other) = try await processes()
    let locks = RoomLocks(ours)
    let first = try await locks.hold(room)
    let second = try await locks.hold(room)
    first.release()
    first.release()
    await locks.giveBack(idleSince: .now, takenBefore: .now - .seconds(60))
    #expect(try await write(other) == nil)
    second.release()
    await locks.giveBack(idleSince: .now - .seconds(3), takenBefore: .now - .seconds(60))
    #expect(try await write(other) == nil)
    await locks.giveBack(idleSince: .now, takenBefore: .now - .seconds(60))
    #expect(try await write(other) != nil)
  }

  @Test("A use ends with its object")
  func ending() async throws {
    let (ours, other) = try await processes()
    let locks = RoomLocks(ours)
    do { _ = try await locks.hold(room) }
    await locks.giveBack(idleSince: .now, takenBefore: .now - .seconds(60))
    #expect(try await write(other) != nil)
  }

  @Test("Who uses a room waits while another process has locked it")
  func waiting() async throws {
    let (ours, other) = try await processes()
    let locks = RoomLocks(ours)
    let writer = try #require(try await write(other))
    let isHeld = Atomic<Bool>(false)
    async let hold: Void = {
      let hold = try await locks.hold(room)
      isHeld.store(true, ordering: .releasing)
      hold.release()
    }()
    let isEarly = isHeld.load(ordering: .acquiring)
    #expect(!isEarly)
    #expect(try await write(other) == nil)
    await writer.release()
    try await hold
    let isHeldAtLast = isHeld.load(ordering: .acquiring)
    #expect(isHeldAtLast)
  }

  @Test("An old lock has no further uses: it is given back when the last one ends, and taken anew by those who wait")
  func ageing() async throws {
    let (ours, other) = try await processes()
    let locks = RoomLocks(ours)
    let first = try await locks.hold(room)
    await locks.giveBack(idleSince: .now - .seconds(3), takenBefore: .now)
    #expect(try await write(other) == nil)
    async let next = locks.hold(room)
    first.release()
    let second = try await next
    #expect(try await write(other) == nil)
    second.release()
    await locks.giveBack(idleSince: .now, takenBefore: .now - .seconds(60))
    #expect(try await write(other) != nil)
  }

  @Test("A use beside one that lasts begins at once, though the lock is going to be given back")
  func beside() async throws {
    let (ours, other) = try await processes()
    let locks = RoomLocks(ours)
    let first = try await locks.hold(room)
    await locks.giveBack(idleSince: .now - .seconds(3), takenBefore: .now)
    let second = locks.hold(room, beside: first)
    first.release()
    #expect(try await write(other) == nil)
    async let next = locks.hold(room)
    second.release()
    try await next.release()
  }

  @Test("A process alone locks nothing")
  func alone() async throws {
    let locks = RoomLocks(nil)
    let hold = try await locks.hold(room)
    locks.hold(room, beside: hold).release()
    hold.release()
    await locks.run()
  }
}
