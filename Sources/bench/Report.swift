/// What the generator prints for a scenario: one line of JSON.
struct Report: Codable, Sendable {
  var scenario: String
  /// `closed`: the next request goes out when one is answered; `open`: at a fixed rate; `steps`: sequential.
  var mode: String
  var connections: Int
  var rate: Double?
  var seconds: Double
  var requests: Int
  var perSecond: Double
  var latency: LatencySummary
  /// What was not answered with 200 to 299, by status or reason.
  var errors: [String: Int]
  var bytesPerAnswer: Double
  /// The share of one core that the generator's thread used; at 1 the generator would be the limit.
  var generatorShare: Double
  /// Further figures of the scenario by name, in milliseconds unless the name says otherwise.
  var figures: [String: Double] = [:]

  init(_ scenario: String, plan: LoadPlan, _ result: LoadResult) {
    self.scenario = scenario
    mode = plan.rate == nil ? "closed" : "open"
    connections = plan.connections
    rate = plan.rate
    seconds = result.seconds
    requests = result.tally.latency.count
    perSecond = result.seconds > 0 ? Double(requests) / result.seconds : 0
    latency = result.tally.latency.summary
    errors = result.tally.errors
    bytesPerAnswer = requests > 0 ? Double(result.tally.bodyBytes) / Double(requests) : 0
    generatorShare = result.seconds > 0 ? result.threadSeconds / result.seconds : 0
  }

  /// Reports sequential steps.
  init(
    _ scenario: String, connections: Int, steps: LatencyRecorder, seconds: Double, errors: [String: Int],
    figures: [String: Double]
  ) {
    self.scenario = scenario
    mode = "steps"
    self.connections = connections
    self.seconds = seconds
    requests = steps.count
    perSecond = seconds > 0 ? Double(steps.count) / seconds : 0
    latency = steps.summary
    self.errors = errors
    bytesPerAnswer = 0
    generatorShare = 0
    self.figures = figures
  }
}
