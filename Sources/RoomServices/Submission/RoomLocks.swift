import MatrixPrimitives
import StorageEngine
import Synchronization

/// The locks that keep other processes from deleting rooms while this one makes events in them: Synapse's lock for
/// that, held for reading.
///
/// Taking and giving back a lock costs a transaction each, so it is kept for a few seconds after its last use, and used by all batches of
/// the room meanwhile. A busy room's lock is given back every minute all the same, so that a process that wants to delete it does not wait indefinitely.
final class RoomLocks: Sendable {
  /// The lock's name, as Synapse's processes have it; the key is the room.
  static let name = "new_event_during_purge_lock"
  private static let idleTime = Duration.seconds(3)
  private static let longestTime = Duration.seconds(60)
  /// The head start of who waits for a lock that was given back because of its age.
  private static let pause = Duration.milliseconds(50)

  /// One use of a room's lock, which ends with ``release()`` or else with the object.
  final class Hold: Sendable {
    /// What takes the lock; nil where there is none to take.
    fileprivate let taking: Task<WorkerLock, any Error>?
    private let end: @Sendable () -> Void
    private let hasEnded = Atomic<Bool>(false)

    fileprivate init(_ taking: Task<WorkerLock, any Error>?, _ end: @escaping @Sendable () -> Void) {
      self.taking = taking
      self.end = end
    }

    deinit { release() }

    /// Ends the use; a second call does nothing.
    func release() {
      if !hasEnded.exchange(true, ordering: .acquiringAndReleasing) { end() }
    }
  }

  private struct Entry {
    let taking: Task<WorkerLock, any Error>
    let since: ContinuousClock.Instant
    var lastUse: ContinuousClock.Instant
    var uses = 1
    /// Whether the lock is going to be given back as soon as the uses have ended, so that there may be no further ones.
    var isEnding = false
    var isBeingGivenBack = false
    /// Those who wait until it has been given back.
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let locks: WorkerLocks?
  private let entries = Mutex<[RoomID: Entry]>([:])

  /// Makes an object that holds no lock.
  ///
  /// - Parameter locks: nil in a server of one process, where there is no other process to exclude.
  init(_ locks: WorkerLocks?) {
    self.locks = locks
  }

  /// Takes a room's lock, or uses the one that is held; waits while another process deletes the room.
  ///
  /// - Throws: `PostgresError` when the database fails.
  func hold(_ room: RoomID) async throws -> Hold {
    guard let locks else { return Hold(nil) {} }
    while true {
      guard let taking = use(room, locks) else {
        await waitForEnd(room)
        continue
      }
      // Made first, so that the use ends however the taking does.
      let hold = Hold(taking) { [weak self] in self?.end(room, taking) }
      do {
        _ = try await taking.value
        return hold
      } catch {
        forget(room, taking)
        throw error
      }
    }
  }

  /// Begins a further use of a room's lock beside one that lasts. Does not wait, not even when the lock is going to be given back: that would
  /// be to wait for the end of what the caller is in the middle of.
  func hold(_ room: RoomID, beside hold: Hold) -> Hold {
    guard let taking = hold.taking else { return Hold(nil) {} }
    entries.withLock { entries in
      if entries[room]?.taking == taking { entries[room]?.uses += 1 }
    }
    return Hold(taking) { [weak self] in self?.end(room, taking) }
  }

  /// Counts a use; nil while the lock is being given back.
  private func use(_ room: RoomID, _ locks: WorkerLocks) -> Task<WorkerLock, any Error>? {
    let now = ContinuousClock.now
    return entries.withLock { entries in
      if let entry = entries[room] {
        guard !entry.isEnding else { return nil }
        entries[room]?.uses += 1
        return entry.taking
      }
      let taking = Task { try await locks.readWriteLock(Self.name, key: room.rawValue, write: false) }
      entries[room] = Entry(taking: taking, since: now, lastUse: now)
      return taking
    }
  }

  private func end(_ room: RoomID, _ taking: Task<WorkerLock, any Error>) {
    let now = ContinuousClock.now
    let isLast = entries.withLock { entries in
      guard var entry = entries[room], entry.taking == taking else { return false }
      entry.uses -= 1
      entry.lastUse = now
      entries[room] = entry
      return entry.isEnding && entry.uses == 0
    }
    if isLast { Task { await giveBack(idleSince: now, takenBefore: now - Self.longestTime) } }
  }

  /// Forgets a lock that could not be taken; those who wait for its end try anew.
  private func forget(_ room: RoomID, _ taking: Task<WorkerLock, any Error>) {
    let waiters = entries.withLock { entries -> [CheckedContinuation<Void, Never>] in
      guard entries[room]?.taking == taking else { return [] }
      return entries.removeValue(forKey: room)?.waiters ?? []
    }
    for waiter in waiters { waiter.resume() }
  }

  private func waitForEnd(_ room: RoomID) async {
    await withCheckedContinuation { continuation in
      let hasEnded = entries.withLock { entries in
        guard entries[room]?.isEnding == true else { return true }
        entries[room]?.waiters.append(continuation)
        return false
      }
      if hasEnded { continuation.resume() }
    }
  }

  // MARK: Giving back

  /// Gives back locks that are idle or old, and at the end all that are idle; until cancelled.
  func run() async {
    guard locks != nil else { return }
    while (try? await Beat.wait(seconds: 1)) != nil {
      await giveBack(idleSince: .now - Self.idleTime, takenBefore: .now - Self.longestTime)
    }
    await giveBack(idleSince: .now, takenBefore: .now)
  }

  /// Gives back the locks whose last use is over for some time; lets those that were taken long ago have no further uses, and gives
  /// them back when the last one is over.
  func giveBack(idleSince idle: ContinuousClock.Instant, takenBefore old: ContinuousClock.Instant) async {
    guard let locks else { return }
    var isAnyOld = false
    let ended = entries.withLock { entries in
      var ended: [(room: RoomID, taking: Task<WorkerLock, any Error>)] = []
      for (room, entry) in entries where !entry.isBeingGivenBack {
        let isOld = entry.since <= old
        guard isOld || entry.isEnding || (entry.uses == 0 && entry.lastUse <= idle) else { continue }
        entries[room]?.isEnding = true
        guard entry.uses == 0 else { continue }
        entries[room]?.isBeingGivenBack = true
        ended.append((room, entry.taking))
        if isOld { isAnyOld = true }
      }
      return ended
    }
    guard !ended.isEmpty else { return }
    var given: [WorkerLock] = []
    for (_, taking) in ended {
      // A lock that could not be taken need not be given back.
      if let lock = try? await taking.value { given.append(lock) }
    }
    await locks.release(given)
    if isAnyOld { try? await Task.sleep(for: Self.pause) }
    let waiters = entries.withLock { entries in
      ended.flatMap { entries.removeValue(forKey: $0.room)?.waiters ?? [] }
    }
    for waiter in waiters { waiter.resume() }
  }
}
