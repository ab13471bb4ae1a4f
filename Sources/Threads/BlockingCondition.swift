import Glibc

/// A lock with which threads can wait for each other.
public final class BlockingCondition: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  /// The condition whose lock is used, if it is not the own one.
  private let owner: BlockingCondition?

  /// Makes a condition.
  ///
  /// - Parameter owner: a condition whose lock this one uses as well; nil for a lock of its own.
  public init(sharingLockOf owner: BlockingCondition? = nil) {
    self.owner = owner
    if let owner {
      mutex = owner.mutex
    } else {
      mutex = .allocate(capacity: 1)
      pthread_mutex_init(mutex, nil)
    }
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    // Waits are not to end or last because somebody sets the clock.
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    condition.deallocate()
    guard owner == nil else { return }
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Takes the lock.
  public func lock() { pthread_mutex_lock(mutex) }

  /// Gives the lock back.
  public func unlock() { pthread_mutex_unlock(mutex) }

  /// Wakes one thread that waits.
  public func signal() { pthread_cond_signal(condition) }

  /// Wakes all threads that wait.
  public func broadcast() { pthread_cond_broadcast(condition) }

  /// Waits, the lock given back meanwhile; may return without reason.
  public func wait() { pthread_cond_wait(condition, mutex) }

  /// Waits for a while, the lock given back meanwhile; may return without reason.
  ///
  /// - Parameter duration: how long at most.
  /// - Returns: false when the time was up.
  public func wait(for duration: Duration) -> Bool {
    var limit = timespec()
    clock_gettime(CLOCK_MONOTONIC, &limit)
    let span = timespec(duration)
    limit.tv_sec += span.tv_sec
    limit.tv_nsec += span.tv_nsec
    if limit.tv_nsec >= 1_000_000_000 {
      limit.tv_sec += 1
      limit.tv_nsec -= 1_000_000_000
    }
    return pthread_cond_timedwait(condition, mutex, &limit) != ETIMEDOUT
  }
}
