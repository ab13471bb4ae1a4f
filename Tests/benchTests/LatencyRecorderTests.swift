import Testing

@testable import bench

@Suite("Latency recorder")
struct LatencyRecorderTests {
  @Test("Percentiles are exact to three digits")
  func percentiles() {
    var recorder = LatencyRecorder()
    for milliseconds in 1...1000 { recorder.record(nanoseconds: UInt64(milliseconds) * 1_000_000) }
    let summary = recorder.summary
    #expect(recorder.count == 1000)
    #expect(abs(summary.mean - 500.5) < 0.001)
    #expect(abs(summary.p50 - 500) <= 0.6)
    #expect(abs(summary.p90 - 900) <= 1)
    #expect(abs(summary.p99 - 990) <= 1)
    #expect(abs(summary.max - 1000) <= 1)
  }

  @Test("Nothing recorded is nothing")
  func empty() {
    let summary = LatencyRecorder().summary
    #expect(summary.mean == 0)
    #expect(summary.p50 == 0)
    #expect(summary.max == 0)
  }

  @Test("Latencies out of range count at its ends", arguments: [0, 1, UInt64.max])
  func range(nanoseconds: UInt64) {
    var recorder = LatencyRecorder()
    recorder.record(nanoseconds: nanoseconds)
    #expect(recorder.count == 1)
    #expect(recorder.summary.p50 > 0)
    #expect(recorder.summary.max <= 601_000)
  }
}
