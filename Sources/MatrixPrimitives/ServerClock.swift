import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Tells the time, and lets tests decide it; handed through initialisers everywhere a time is needed.
public struct ServerClock: Sendable {
  private final class ManualTime: Sendable {
    let milliseconds: Mutex<Int64>

    init(_ start: Int64) { milliseconds = Mutex(start) }
  }

  private let manual: ManualTime?

  /// Reads the system's wall clock.
  public static let system = ServerClock(manual: nil)

  /// Makes a clock that stands still until `advance` is called; copies share the time.
  /// - Parameter startingAt: milliseconds since 1970.
  public static func test(startingAt: Int64 = 1_700_000_000_000) -> ServerClock {
    ServerClock(manual: ManualTime(startingAt))
  }

  /// Gives the milliseconds since 1970.
  public var nowMilliseconds: Int64 {
    if let manual { return manual.milliseconds.withLock { $0 } }
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Moves a test clock forward (or back, if negative); the system's clock is left alone.
  public func advance(milliseconds: Int64) {
    manual?.milliseconds.withLock { time in
      let (sum, overflow) = time.addingReportingOverflow(milliseconds)
      if !overflow { time = sum }
    }
  }
}
