import Glibc

/// The threads of the system's that run blocking work, so that no thread of Swift's own pool has to wait.
public enum BlockingThread {
  /// What the thread is started with.
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
  public static func start(_ name: String, stackSize: Int = 512 << 10, _ body: @escaping @Sendable () -> Void) {
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
  ///
  /// - Parameter duration: how long at least; nothing below zero.
  public static func sleep(for duration: Duration) {
    var wanted = timespec(duration)
    var left = timespec()
    while nanosleep(&wanted, &left) != 0, errno == EINTR { wanted = left }
  }
}

extension timespec {
  /// Makes a span; nothing for a negative one.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = max(duration, .zero).components
    self.init(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
  }
}
