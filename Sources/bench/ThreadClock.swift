#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The processor time that threads have used.
enum ThreadClock {
  /// Seconds used by the calling thread.
  static func current() -> Double { read(CLOCK_THREAD_CPUTIME_ID) }

  /// Seconds used by all threads of this process.
  static func process() -> Double { read(CLOCK_PROCESS_CPUTIME_ID) }

  private static func read(_ clock: clockid_t) -> Double {
    var time = timespec()
    guard clock_gettime(clock, &time) == 0 else { return 0 }
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
