import ByteText
import Synchronization

/// A lock that was taken by ``WorkerLocks``, until ``release()``. It is renewed meanwhile.
public final class WorkerLock: Sendable {
  /// The locks that are held together: name and key.
  public let holds: [Hold]
  private let locks: WorkerLocks
  private let isReleased = Atomic<Bool>(false)

  /// One lock and how it is held.
  public struct Hold: Sendable, Hashable {
    /// The name of the lock, for example `new_event_during_purge_lock`.
    public let name: Text
    /// What is locked, for example a room.
    public let key: Text
    /// A text that tells apart several times that the same holder took the lock.
    let token: Text
    let kind: Kind

    func isSamePlainLock(as other: Hold) -> Bool {
      kind == .plain && other.kind == .plain && name == other.name && key == other.key
    }
  }

  /// The table that a lock is in and the way it excludes others.
  enum Kind: Sendable, Hashable {
    case plain, read, write
  }

  init(holds: [Hold], locks: WorkerLocks) {
    self.holds = holds
    self.locks = locks
  }

  /// Gives the lock back and wakes those who wait for it, here and in other processes. A second call does nothing.
  ///
  /// A failure is only logged: the lock then runs out by itself after two minutes.
  public func release() async {
    await locks.release([self])
  }

  /// Returns whether the caller is the first who gives the lock back, and so has to do it.
  func claimRelease() -> Bool { !isReleased.exchange(true, ordering: .acquiringAndReleasing) }
}
