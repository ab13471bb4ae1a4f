/// The count of what came back in the measured part of a round.
struct LoadTally: Sendable {
  private(set) var latency = LatencyRecorder()
  private(set) var errors: [String: Int] = [:]
  private(set) var bodyBytes = 0
  /// The time of the last answer, in nanoseconds of the generator's clock.
  private(set) var last: UInt64 = 0

  /// Notes how a request ended. Statuses of 200 to 299 count as answers, others as errors by their number.
  mutating func note(_ outcome: LoadCall.Outcome, nanoseconds: UInt64, at moment: UInt64) {
    switch outcome {
    case .answered(let response) where (200..<300).contains(response.status):
      latency.record(nanoseconds: nanoseconds)
      bodyBytes += response.bodyLength
      last = moment
    case .answered(let response): errors["\(response.status)", default: 0] += 1
    case .broken(let reason): errors[reason, default: 0] += 1
    }
  }

  /// Counts requests that were due and were not answered.
  mutating func noteUnanswered(_ count: Int) {
    if count > 0 { errors["unanswered", default: 0] += count }
  }
}
