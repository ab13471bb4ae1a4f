import Dispatch
import MatrixPrimitives
import Synchronization

/// The measured values of one benchmark.
struct Measurement {
  let benchmark: Benchmark
  /// The time for one item in nanoseconds: the median of all samples.
  let nanoseconds: Double
  /// The distance between the fastest and the slowest sample in parts of the median.
  let spread: Double
  /// The most by which memory rose while the body ran, in bytes; nil if the system does not tell.
  let peakBytes: Int64?

  var perSecond: Double { nanoseconds > 0 ? 1e9 / nanoseconds : 0 }

  var json: JSON {
    [
      "items_per_call": .integer(Int64(benchmark.items)), "name": .string(Text(benchmark.name)),
      "nanoseconds": .double(nanoseconds), "peak_bytes": peakBytes.map { .integer($0) } ?? nil,
      "per_second": .double(perSecond), "spread": .double(spread), "unit": .string(Text(benchmark.unit)),
    ]
  }

  /// Measures a benchmark: warm-up, then samples of as many calls as fill `sampleTime`. Where few calls do, the first is all the warm-up.
  static func take(_ benchmark: Benchmark, samples: Int, sampleTime: Duration) throws -> Measurement {
    let body = try benchmark.prepare()
    let memory = PeakMemory.start()
    let first = try time(body, calls: 1)
    let peak = memory?.rise()
    let calls = max(1, Int((sampleTime / max(first, .nanoseconds(1))).rounded()))
    _ = try time(body, calls: calls / 4)
    var times: [Double] = []
    for _ in 0..<max(1, samples) {
      let elapsed = try time(body, calls: calls)
      times.append(elapsed / .nanoseconds(1) / Double(calls) / Double(benchmark.items))
    }
    times.sort()
    let median = times[times.count / 2]
    let spread = median > 0 ? ((times.last ?? 0) - (times.first ?? 0)) / median : 0
    return Measurement(benchmark: benchmark, nanoseconds: median, spread: spread, peakBytes: peak)
  }

  private static func time(_ body: Benchmark.Body, calls: Int) throws -> Duration {
    let start = ContinuousClock.now
    switch body {
    case .plain(let work): for _ in 0..<calls { try work() }
    case .suspending(let work):
      let done = DispatchSemaphore(value: 0)
      let failure = Mutex<(any Error)?>(nil)
      // Only here threads come in: callgrind cannot follow a program whose main thread belongs to Dispatch.
      Task.detached {
        do {
          for _ in 0..<calls { try await work() }
        } catch {
          failure.withLock { $0 = error }
        }
        done.signal()
      }
      done.wait()
      if let error = failure.withLock({ $0 }) { throw error }
    }
    return start.duration(to: .now)
  }
}

/// Calls a body under the eyes of callgrind, which counts only what happens inside this function (`make bench-check`).
@inline(never)
func countedRegion(_ work: () throws -> Void, calls: Int) rethrows {
  for _ in 0..<calls { try work() }
}
