import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// The source of time, which tests replace; handed through initialisers everywhere a time is needed.
public struct ServerClock: Sendable {
  private final class ManualTime: Sendable {
    let milliseconds: Mutex<(wall: Int64, monotonic: Int64)>

    init(_ start: Int64) { milliseconds = Mutex((start, 0)) }
  }

  private let manual: ManualTime?

  /// The system's wall clock.
  public static let system = ServerClock(manual: nil)

  /// Makes a clock that advances only by `advance`; copies share the time.
  /// - Parameter startingAt: milliseconds since 1970.
  public static func test(startingAt: Int64 = 1_700_000_000_000) -> ServerClock {
    ServerClock(manual: ManualTime(startingAt))
  }

  /// The milliseconds since 1970.
  public var nowMilliseconds: Int64 {
    if let manual { return manual.milliseconds.withLock { $0.wall } }
    return Self.read(CLOCK_REALTIME)
  }

  /// Milliseconds since some moment in the past, for measuring how long something took or lasts: the value never goes
  /// back, whatever is done to the wall clock. Two processes have nothing in common by it.
  public var monotonicMilliseconds: Int64 {
    if let manual { return manual.milliseconds.withLock { $0.monotonic } }
    return Self.read(CLOCK_MONOTONIC)
  }

  /// Moves a test clock forward; a negative time sets its wall clock back, as an administrator may. The system's clock is left alone.
  public func advance(milliseconds: Int64) {
    manual?.milliseconds.withLock { time in
      let (wall, overflow) = time.wall.addingReportingOverflow(milliseconds)
      if !overflow { time.wall = wall }
      let (monotonic, isTooLate) = time.monotonic.addingReportingOverflow(max(0, milliseconds))
      if !isTooLate { time.monotonic = monotonic }
    }
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
