import Glibc

/// Runs work that blocks on threads of the system's, so that no thread of Swift's own pool waits for the database.
enum BlockingThread {
  /// Holds what the thread is started with.
  private final class Start {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Starts a thread that ends with `body`. When the system has none to give, the caller waits until it has.
  ///
  /// - Parameters:
  ///   - name: for debuggers; at most 15 bytes.
  ///   - stackSize: in bytes.
  ///   - body: what it does.
  static func start(_ name: String, stackSize: Int = 512 << 10, _ body: @escaping @Sendable () -> Void) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackSize)
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
      guard let argument else { return nil }
      let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
      BlockingThread.setName(start.name)
      start.body()
      return nil
    }
    while pthread_create(&thread, &attributes, run, start.toOpaque()) != 0 { sleep(for: .milliseconds(10)) }
  }

  /// Names the thread that calls; without a name it works as well.
  private static func setName(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = write(file, name, name.utf8.count)
    close(file)
  }

  /// Lets the thread that calls sleep.
  static func sleep(for duration: Duration) {
    var wanted = timespec(duration)
    var left = timespec()
    while nanosleep(&wanted, &left) != 0, errno == EINTR { wanted = left }
  }
}

extension timespec {
  /// Makes a span; nothing for a negative one.
  fileprivate init(_ duration: Duration) {
    let (seconds, attoseconds) = max(duration, .zero).components
    self.init(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
  }
}

/// A lock with which threads can wait for each other.
final class BlockingCondition: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  /// The condition whose lock is used, if it is not the own one.
  private let owner: BlockingCondition?

  /// Makes a condition.
  ///
  /// - Parameter owner: a condition whose lock this one uses as well; nil for a lock of its own.
  init(sharingLockOf owner: BlockingCondition? = nil) {
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

  func lock() { pthread_mutex_lock(mutex) }

  func unlock() { pthread_mutex_unlock(mutex) }

  /// Wakes one thread that waits.
  func signal() { pthread_cond_signal(condition) }

  /// Wakes all threads that wait.
  func broadcast() { pthread_cond_broadcast(condition) }

  /// Waits, the lock given back meanwhile; may return without reason.
  func wait() { pthread_cond_wait(condition, mutex) }

  /// Waits for a while, the lock given back meanwhile; may return without reason.
  ///
  /// - Returns: false when the time was up.
  func wait(for duration: Duration) -> Bool {
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
