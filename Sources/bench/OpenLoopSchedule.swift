/// The times at which the requests of an open-loop round are due: at a fixed rate, whether or not earlier ones have
/// been answered.
///
/// Latency is counted from these moments, so that the time a request waits because the server is behind is not hidden.
struct OpenLoopSchedule: Sendable {
  /// The number of requests a second.
  let rate: Double
  /// The first request's moment, in nanoseconds of the generator's clock.
  let start: UInt64

  init(rate: Double, start: UInt64) {
    self.rate = rate
    self.start = start
  }

  /// Returns the moment at which a request is due, in nanoseconds of the generator's clock.
  func due(_ number: Int) -> UInt64 {
    start + UInt64((Double(max(0, number)) / rate * 1e9).rounded())
  }

  /// Counts the requests that are due at a moment or earlier.
  func count(at moment: UInt64) -> Int {
    guard moment >= start else { return 0 }
    var count = Int(Double(moment - start) / 1e9 * rate) + 1
    // The division above may be off by one where a request is due at that very nanosecond.
    while count > 0 && due(count - 1) > moment { count -= 1 }
    while due(count) <= moment { count += 1 }
    return count
  }
}
