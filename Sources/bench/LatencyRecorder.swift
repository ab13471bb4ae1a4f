import Histogram

/// The number of answers by latency, from a microsecond to ten minutes, exact to three digits.
struct LatencyRecorder: Sendable {
  private var histogram = Histogram<UInt32>(
    lowestDiscernibleValue: 1, highestTrackableValue: 600_000_000, numberOfSignificantValueDigits: .three)
  private var sum = 0.0

  /// - Parameter nanoseconds: The latency; above ten minutes it counts as ten minutes.
  mutating func record(nanoseconds: UInt64) {
    let microseconds = min(max(1, nanoseconds / 1000), 600_000_000)
    histogram.record(microseconds)
    sum += Double(microseconds)
  }

  var count: Int { Int(histogram.totalCount) }

  /// Returns the latency that a part of all answers kept within, in milliseconds; 0 without answers.
  /// - Parameter percentile: 0...100
  func milliseconds(at percentile: Double) -> Double {
    count == 0 ? 0 : Double(histogram.valueAtPercentile(percentile)) / 1000
  }

  var summary: LatencySummary {
    LatencySummary(
      mean: count == 0 ? 0 : sum / Double(count) / 1000, p50: milliseconds(at: 50), p90: milliseconds(at: 90),
      p99: milliseconds(at: 99), p999: milliseconds(at: 99.9), max: milliseconds(at: 100))
  }
}

/// Latencies in milliseconds.
struct LatencySummary: Codable, Sendable {
  let mean: Double
  let p50: Double
  let p90: Double
  let p99: Double
  let p999: Double
  let max: Double
}
